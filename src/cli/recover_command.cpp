#include "cli/recover_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/lazy_quarantine.hpp"
#include "cli/state_directory.hpp"
#include "cli/state_view.hpp"
#include "cli/stop_signal.hpp"
#include "cli/units.hpp"
#include "flow/guarded_sink.hpp"
#include "flow/recovery.hpp"
#include "flow/writer_files.hpp"
#include "os/random.hpp"
#include "telemetry/collector.hpp"

namespace arca::cli {

namespace {

using Json = nlohmann::ordered_json;
constexpr base::Duration signal_poll = std::chrono::milliseconds(100);

std::string progress_text(const flow::RecoveryProgress& progress) {
  std::string text = fmt::format(
      "recovered {} items, {}; left {} items, {} in {} writers; {}/s", format_count(progress.items_done),
      format_bytes(progress.bytes_done), format_count(progress.items_left), format_bytes(progress.bytes_left),
      progress.writers_left, format_bytes(static_cast<std::uint64_t>(progress.bytes_per_second)));
  if (progress.time_left) text += ", done in " + format_duration(*progress.time_left);
  return text;
}

std::uint64_t items_of(const model::Backlog& backlog) {
  return backlog.item_count[0] + backlog.item_count[1] + backlog.item_count[2];
}

Json writers_as_json(const flow::RecoveryStatus& status) {
  Json list = Json::array();
  for (const flow::RecoveryWriter& writer : status.writers) {
    list.push_back({{"id", model::to_string(writer.id)},
                    {"state", flow::to_string(writer.state)},
                    {"chunks", writer.backlog.chunk_count},
                    {"items", items_of(writer.backlog)},
                    {"bytes", writer.backlog.bytes},
                    {"note", writer.note}});
  }
  return list;
}

std::string writers_as_text(const flow::RecoveryStatus& status) {
  std::string text;
  for (const flow::RecoveryWriter& writer : status.writers) {
    text += fmt::format("  {}  {}  {} items, {}{}{}\n", model::to_string(writer.id), flow::to_string(writer.state),
                        format_count(items_of(writer.backlog)), format_bytes(writer.backlog.bytes),
                        writer.note.empty() ? "" : "  note: ", writer.note);
  }
  return text;
}

class RecoverCommand final : public Command {
 public:
  [[nodiscard]] const CommandText& text() const override {
    static const CommandText text{
        "recover",
        "delivers what dead processes left: their pools and journals",
        "Looks for writers whose process is gone (their lock is free), takes them over one by one, delivers what they "
        "accepted to the Collector, enters their totals in the ledger and removes their files. Writers that live are "
        "left "
        "alone. What the Collector rejects for good goes to the quarantine. It can be stopped and killed at any time: "
        "the next run goes on where this one was, and a chunk that went out twice carries the same id.\n\n"
        "One pass, unless --watch is given: then it goes on until SIGINT or SIGTERM. Endpoint, headers, TLS and all "
        "else is "
        "configured by the same variables as in an instrumented process (OTEL_EXPORTER_OTLP_*, ARCA_*); --endpoint "
        "goes "
        "before them.",
        {{"Shows what there is to deliver", "arca recover --dry-run"},
         {"Delivers it to a Collector on another host, slowly",
          "arca recover --endpoint http://collector:4317 --rate 5MB"},
         {"Runs beside applications for ever", "arca recover --watch"}},
        {{ExitCode::ok, "nothing is left, but for what lives; or --watch was told to stop"},
         {ExitCode::failure, "the state directory, or a writer in it, cannot be read"},
         {ExitCode::usage, ""},
         {ExitCode::law_broken, "records are lost, or the ledger's law does not hold"},
         {ExitCode::not_reachable, "the Collector did not take anything; everything is still kept"},
         {ExitCode::incomplete, ""}},
        {"arca-status(1)", "arca-inspect(1)"}};
    return text;
  }

  void add_options(CLI::App& app) override {
    app.add_option("--state", state_, "The state directory; without it, as ARCA_STATE_DIRECTORY and the defaults say")
        ->type_name("DIRECTORY");
    app.add_option("--endpoint", endpoint_, "Where the Collector is, for all signals, as OTEL_EXPORTER_OTLP_ENDPOINT")
        ->type_name("URL");
    app.add_option("--protocol", protocol_, "grpc or http/protobuf, as OTEL_EXPORTER_OTLP_PROTOCOL")
        ->type_name("NAME")
        ->check(CLI::IsMember({"grpc", "http/protobuf"}));
    app.add_option("--rate", rate_, "Bytes a second at most, over all writers; 0 is no limit; without it as configured")
        ->type_name("SIZE")
        ->check(CLI::Validator(check_bytes, ""));
    app.add_option("--deadline", deadline_, "Ends one pass after this time")
        ->type_name("TIME")
        ->check(CLI::Validator(check_duration, ""))
        ->capture_default_str();
    app.add_flag("--watch", watch_, "Goes on looking for dead writers until told to stop");
    app.add_flag("--dry-run", dry_run_, "Shows what a pass would find; sends, settles and removes nothing");
    app.add_flag("--json", json_, "Prints the result as JSON");
  }

  int run(Console& console) override {
    if (watch_ && dry_run_) {
      return console.error("recover", "--watch and --dry-run exclude each other", "Choose one.", ExitCode::usage);
    }
    const auto config = configure();
    if (!config) {
      return console.error("recover", config.error().message(), "Correct the configuration.", ExitCode::usage);
    }
    const Settings& settings = **config;
    os::FileSystem& files = os::posix_file_system();
    if (!files.exists(settings.state_directory)) {
      console.print(settings.state_directory + " does not exist: there is nothing to recover");
      return to_int(ExitCode::ok);
    }
    os::SystemClock clock;
    const auto collector = telemetry::make_collector(settings, clock);
    if (!collector) {
      return console.error("recover", collector.error().message(), "Correct the configuration.", ExitCode::usage);
    }
    const flow::Random random = flow::uniform(os::system_random());
    flow::GuardedSink guarded(**collector, clock, flow::BreakerOptions{}, random);
    flow::WriterFiles writers(settings.state_directory, files, clock);
    LazyQuarantine quarantine(settings.state_directory, settings.quarantine_size, files, clock);
    flow::RecoveryOptions options;
    options.limits = {.bytes_per_second = settings.recovery_bytes_per_second};
    options.scan_interval = settings.recovery_scan_interval;
    if (!watch_) options.start_jitter = base::Duration::zero();
    options.random = random;
    options.keep_rejected = [&](const model::Chunk& chunk, const model::Ack&) { return quarantine.keep(chunk); };
    flow::Recovery recovery(writers, nullptr, guarded, clock, std::move(options));
    if (dry_run_) return show_plan(recovery, console);
    const int code = watch_ ? watch(recovery, console) : pass(recovery, clock, console);
    if (code == to_int(ExitCode::not_reachable) || code == to_int(ExitCode::incomplete)) explain(**collector, console);
    return code == to_int(ExitCode::ok) ? check_law(settings.state_directory, console) : code;
  }

 private:
  Result<FinalizedConfig> configure() const {
    Config config;
    if (!state_.empty()) {
      const auto directory = resolve_state_directory(state_);
      if (!directory) return failure(directory.error());
      config.state_directory = *directory;
    }
    if (!endpoint_.empty()) {
      config.otlp.endpoint = endpoint_;
      // A signal's own variable would go before the endpoint for all signals.
      if (protocol_ != "http/protobuf") {
        config.otlp.traces.endpoint = config.otlp.metrics.endpoint = config.otlp.logs.endpoint = endpoint_;
      }
    }
    if (!protocol_.empty()) config.otlp.protocol = protocol_;
    if (!rate_.empty()) config.recovery.bytes_per_second = parse_bytes(rate_);
    return finalize(config);
  }

  int show_plan(flow::Recovery& recovery, Console& console) const {
    const auto plan = recovery.dry_run();
    if (!plan) {
      return console.error("cannot read the state", plan.error().message(), "Check --state and its permissions.",
                           ExitCode::failure);
    }
    if (json_) {
      console.print(Json{{"dry_run", true}, {"writers", writers_as_json(*plan)}}.dump(2));
    } else {
      console.print(fmt::format("{} writers\n{}", plan->writers.size(), writers_as_text(*plan)));
    }
    return to_int(ExitCode::ok);
  }

  int pass(flow::Recovery& recovery, os::Clock& clock, Console& console) const {
    StopSignal signals;
    std::stop_source stop;
    std::jthread listener([&](const std::stop_token& done) {
      while (!done.stop_requested() && !stop.stop_requested()) {
        if (signals.wait(signal_poll)) stop.request_stop();
      }
    });
    const base::Duration limit = parse_duration(deadline_).value_or(base::Duration::zero());
    const flow::RecoveryReport report = recovery.drain_once(
        clock.steady_now() + limit,
        [&](const flow::RecoveryProgress& progress) {
          if (!json_) console.progress(progress_text(progress));
        },
        stop.get_token());
    console.end_progress();
    bool unreadable = false;
    for (const auto& writer : report.status.writers) {
      unreadable = unreadable || writer.state == flow::RecoveryWriter::State::unreadable;
    }
    if (json_) {
      console.print(Json{{"complete", report.complete && !unreadable},
                         {"items_delivered", report.progress.items_done},
                         {"bytes_delivered", report.progress.bytes_done},
                         {"items_left", report.progress.items_left},
                         {"bytes_left", report.progress.bytes_left},
                         {"writers_finished", report.status.finished_writer_count},
                         {"writers", writers_as_json(report.status)}}
                        .dump(2));
    } else {
      console.print(fmt::format("{}: {} items from {} writers delivered, {} items left\n{}",
                                report.complete ? "complete" : "not complete", format_count(report.progress.items_done),
                                report.status.finished_writer_count, format_count(report.progress.items_left),
                                writers_as_text(report.status)));
    }
    if (report.complete) return to_int(unreadable ? ExitCode::failure : ExitCode::ok);
    return to_int(report.progress.items_done == 0 && !signals.requested() ? ExitCode::not_reachable
                                                                          : ExitCode::incomplete);
  }

  int watch(flow::Recovery& recovery, Console& console) const {
    StopSignal signals;
    std::jthread worker([&](const std::stop_token& stop) { recovery.run(stop); });
    std::uint64_t told = 0;
    if (!json_) console.note("watching; stop with SIGINT or SIGTERM");
    while (!signals.wait(std::chrono::seconds(1))) {
      const flow::RecoveryStatus status = recovery.status();
      const std::uint64_t items = delivered_items(status);
      if (items == told && status.writers.empty()) continue;
      if (!json_) {
        console.progress(fmt::format("delivered {} items of {} finished writers; {} at hand", format_count(items),
                                     status.finished_writer_count, status.writers.size()));
      } else if (items != told) {
        console.print(Json{{"items_delivered", items}, {"writers_finished", status.finished_writer_count}}.dump());
      }
      told = items;
    }
    worker.request_stop();
    worker.join();
    console.end_progress();
    return to_int(ExitCode::ok);
  }

  static std::uint64_t delivered_items(const flow::RecoveryStatus& status) {
    const auto& counts = status.counters.of(model::Verdict::delivered).item_count;
    return counts[0] + counts[1] + counts[2];
  }

  static void explain(const sinks::CollectorSink& collector, Console& console) {
    const std::string error = collector.status().last_error;
    if (!error.empty()) console.note("the Collector's last answer: " + error);
  }

  int check_law(const std::string& state_directory, Console& console) const {
    const auto state = view_state_calmly(os::posix_file_system(), state_directory);
    if (!state) return console.error("cannot read the state", state.error().message(), "", ExitCode::failure);
    if (state->holds() && lost_items(state->sum()) == 0) return to_int(ExitCode::ok);
    return console.error("the law does not hold, or records are lost", "",
                         "`arca status --state " + state_directory + "` shows where.", ExitCode::law_broken);
  }

  std::string state_;
  std::string endpoint_;
  std::string protocol_;
  std::string rate_;
  std::string deadline_ = "1h";
  bool watch_ = false;
  bool dry_run_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_recover_command() { return std::make_unique<RecoverCommand>(); }

}  // namespace arca::cli
