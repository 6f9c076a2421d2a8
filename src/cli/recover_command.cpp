#include "cli/recover_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/recover_report.hpp"
#include "cli/recovery_parts.hpp"
#include "cli/state_directory.hpp"
#include "cli/state_view.hpp"
#include "cli/stop_signal.hpp"
#include "cli/units.hpp"
#include "flow/recovery.hpp"
#include "os/file_system.hpp"

namespace arca::cli {

namespace {

using Json = nlohmann::ordered_json;
constexpr base::Duration signal_poll = std::chrono::milliseconds(100);
constexpr base::Duration plan_time = std::chrono::seconds(30);  // for a connection to Cassandra and one look

class RecoverCommand final : public Command {
 public:
  [[nodiscard]] const CommandText& text() const override {
    static const CommandText text{
        "recover",
        "delivers what dead processes left, and what is parked in Cassandra",
        "Looks for writers whose process is gone (their lock is free), takes them over one by one, delivers what they "
        "accepted to the Collector, enters their totals in the ledger and removes their files. Writers that live are "
        "left alone. With a Cassandra configured (ARCA_CASSANDRA_CONTACT_POINTS) it also delivers what is parked "
        "there, of any host: several may do so at once, each takes leases on a part. While the Collector is away, what "
        "dead writers left is parked there, too. What the Collector rejects for good goes to the quarantine. It can be "
        "stopped and killed at any time: "
        "the next run goes on where this one was, and a chunk that went out twice carries the same id.\n\n"
        "One pass, unless --watch is given: then it goes on until SIGINT or SIGTERM. Endpoint, headers, TLS and all "
        "else is "
        "configured by the same variables as in an instrumented process (OTEL_EXPORTER_OTLP_*, ARCA_*); --endpoint "
        "goes "
        "before them.",
        {{"Shows what there is to deliver", "arca recover --dry-run"},
         {"Delivers it to a Collector on another host, slowly",
          "arca recover --endpoint http://collector:4317 --rate 5MB"},
         {"Runs beside applications for ever", "arca recover --watch"},
         {"Delivers what is parked in Cassandra", "ARCA_CASSANDRA_CONTACT_POINTS=cassandra-1 arca recover"},
         {"Sends rows that another exporter has written", "arca recover --scan-rows --scan 2026-05"}},
        {{ExitCode::ok, "nothing is left, but for what lives; or --watch was told to stop"},
         {ExitCode::failure,
          "the state directory, or a writer in it, cannot be read; or the Collector refused records for good"},
         {ExitCode::usage, ""},
         {ExitCode::law_broken, "records are lost, or the ledger's law does not hold"},
         {ExitCode::not_reachable,
          "the Collector did not take anything, or Cassandra was not there; everything is still kept"},
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
    app.add_flag("--dry-run", dry_run_,
                 "Shows what a pass would find; sends, settles and removes nothing, and only reads Cassandra");
    app.add_flag("--scan-rows", scan_rows_,
                 "Sends the rows of traces_overflow, whoever wrote them, and does nothing else; goes on where a scan "
                 "of the same name was");
    app.add_option("--scan", scan_, "The name of the scan; under a new one everything is sent again")
        ->type_name("NAME")
        ->capture_default_str();
    app.add_option("--datacenter", datacenter_,
                   "Delivers what is parked in this datacenter of Cassandra, which is lost for good, as far as it has "
                   "come to the local one, and does nothing else")
        ->type_name("NAME");
    app.add_flag("--json", json_, "Prints the result as JSON");
  }

  int run(Console& console) override {
    if (watch_ && dry_run_) {
      return console.error("recover", "--watch and --dry-run exclude each other", "Choose one.", ExitCode::usage);
    }
    if (scan_rows_ && (watch_ || dry_run_ || !datacenter_.empty())) {
      return console.error("recover", "--scan-rows excludes --watch, --dry-run and --datacenter", "Choose one.",
                           ExitCode::usage);
    }
    const auto config = configure();
    if (!config) {
      return console.error("recover", config.error().message(), "Correct the configuration.", ExitCode::usage);
    }
    const Settings& settings = **config;
    if ((scan_rows_ || !datacenter_.empty()) && !settings.cassandra.is_configured()) {
      return console.error("recover", "no Cassandra is configured",
                           "Set ARCA_CASSANDRA_CONTACT_POINTS to host or host:port.", ExitCode::usage);
    }
    if (!os::posix_file_system().exists(settings.state_directory) && !settings.cassandra.is_configured()) {
      console.print(settings.state_directory + " does not exist: there is nothing to recover");
      return to_int(ExitCode::ok);
    }
    os::SystemClock clock;
    RecoveryPlan plan{.only_looks = dry_run_, .single_pass = !watch_};
    if (scan_rows_) plan.scan_rows = scan_;
    plan.datacenter = datacenter_;
    const auto parts = RecoveryParts::make(settings, clock, plan);
    if (!parts) {
      if (parts.error().code() == ErrorCode::unavailable || parts.error().code() == ErrorCode::timeout) {
        return console.error("recover", parts.error().message(), "Everything is still kept; try again later.",
                             ExitCode::not_reachable);
      }
      return console.error("recover", parts.error().message(), "Correct the configuration.", ExitCode::usage);
    }
    if (dry_run_) return show_plan(**parts, clock, console);
    const int code = watch_ ? watch(**parts, clock, console) : pass(**parts, clock, console);
    if (code == to_int(ExitCode::not_reachable) || code == to_int(ExitCode::incomplete)) explain(**parts, console);
    if (const std::uint64_t lost = (*parts)->lost_chunk_count(); lost > 0) {
      return console.error(
          "records are lost",
          fmt::format("up to {} chunks are no longer in Cassandra, and nobody had delivered them", lost),
          "Let `arca recover --watch` run: it writes anew in time what cannot be delivered.", ExitCode::law_broken);
    }
    return code == to_int(ExitCode::ok) ? check_end(**parts, settings.state_directory, console) : code;
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

  int show_plan(RecoveryParts& parts, os::Clock& clock, Console& console) const {
    look_into_cassandra(parts, clock);
    const auto plan = parts.recovery().dry_run();
    if (!plan) {
      return console.error("cannot read the state", plan.error().message(), "Check --state and its permissions.",
                           ExitCode::failure);
    }
    if (json_) {
      console.print(
          Json{{"dry_run", true}, {"writers", writers_as_json(*plan)}, {"cassandra", cassandra_as_json(parts)}}.dump(
              2));
    } else {
      console.print(
          fmt::format("{} writers\n{}{}", plan->writers.size(), writers_as_text(*plan), cassandra_as_text(parts)));
    }
    return to_int(ExitCode::ok);
  }

  // Claims nothing and sends nothing: only the directory of segments is read.
  static void look_into_cassandra(RecoveryParts& parts, os::Clock& clock) {
    StopSignal signals;
    const base::SteadyTime give_up_at = clock.steady_now() + plan_time;
    while (parts.cassandra_status() && !parts.has_scanned() && clock.steady_now() < give_up_at) {
      parts.tend();
      if (signals.wait(signal_poll)) return;
    }
  }

  int pass(RecoveryParts& parts, os::Clock& clock, Console& console) const {
    StopSignal signals;
    std::stop_source stop;
    std::jthread listener([&](const std::stop_token& done) {
      while (!done.stop_requested() && !stop.stop_requested()) {
        if (signals.wait(signal_poll)) stop.request_stop();
      }
    });
    const base::Duration limit = parse_duration(deadline_).value_or(base::Duration::zero());
    const flow::RecoveryReport report = parts.recovery().drain_once(
        clock.steady_now() + limit,
        [&](const flow::RecoveryProgress& progress) {
          if (!json_) console.progress(progress_text(progress));
        },
        stop.get_token());
    console.end_progress();
    const auto& writers = report.status.writers;
    const bool is_unreadable = std::any_of(writers.begin(), writers.end(), [](const flow::RecoveryWriter& writer) {
      return writer.state == flow::RecoveryWriter::State::unreadable;
    });
    const bool has_missed = parts.missed_cassandra();
    show_pass(parts, report, report.complete && !is_unreadable && !has_missed, console);
    if (report.complete && has_missed) return to_int(ExitCode::not_reachable);
    if (report.complete) return to_int(is_unreadable ? ExitCode::failure : ExitCode::ok);
    return to_int(report.progress.items_done.delivered == 0 && !signals.requested() ? ExitCode::not_reachable
                                                                                    : ExitCode::incomplete);
  }

  void show_pass(const RecoveryParts& parts, const flow::RecoveryReport& report, bool is_complete,
                 Console& console) const {
    const flow::RecoveryProgress& progress = report.progress;
    if (json_) {
      Json json{{"complete", is_complete}};
      json.update(done_as_json(progress.items_done));
      json.update({{"bytes_done", progress.bytes_done},
                   {"items_left", progress.items_left},
                   {"bytes_left", progress.bytes_left},
                   {"writers_finished", report.status.finished_writer_count},
                   {"writers", writers_as_json(report.status)},
                   {"cassandra", cassandra_as_json(parts)},
                   {"scan", scan_as_json(parts)}});
      console.print(json.dump(2));
      return;
    }
    const std::string from = fmt::format("{} writers{}", report.status.finished_writer_count,
                                         parts.cassandra_status() ? " and Cassandra" : "");
    console.print(fmt::format("{}: {}, {} items left\n{}{}{}", is_complete ? "complete" : "not complete",
                              done_text(progress.items_done, from), format_count(progress.items_left),
                              writers_as_text(report.status), cassandra_as_text(parts), scan_as_text(parts)));
  }

  int watch(RecoveryParts& parts, os::Clock& clock, Console& console) const {
    StopSignal signals;
    flow::Recovery& recovery = parts.recovery();
    std::jthread worker([&](const std::stop_token& stop) { recovery.run(stop); });
    std::uint64_t told = 0;
    RecoveryRate rate(clock.steady_now());
    if (!json_) console.note("watching; stop with SIGINT or SIGTERM");
    while (!signals.wait(std::chrono::seconds(1))) {
      const flow::RecoveryStatus status = recovery.status();
      const flow::RecoveryProgress progress = rate.progress_of(status, clock.steady_now());
      const std::uint64_t items = progress.items_done.sum();
      if (items == told && progress.items_left == 0 && status.writers.empty()) continue;
      if (!json_) {
        console.progress(progress_text(progress));
      } else if (items != told) {
        Json json = done_as_json(progress.items_done);
        json.update({{"items_left", progress.items_left},
                     {"bytes_left", progress.bytes_left},
                     {"bytes_per_second", progress.bytes_per_second},
                     {"writers_finished", status.finished_writer_count}});
        console.print(json.dump());
      }
      told = items;
    }
    worker.request_stop();
    worker.join();
    console.end_progress();
    return to_int(ExitCode::ok);
  }

  static void explain(const RecoveryParts& parts, Console& console) {
    const std::string error = parts.collector_error();
    if (!error.empty()) console.note("the Collector's last answer: " + error);
    const auto cassandra = parts.cassandra_status();
    if (cassandra && !cassandra->last_error.empty()) console.note("Cassandra: " + cassandra->last_error);
  }

  // Of a pass that has left nothing behind: whether it has all arrived.
  int check_end(RecoveryParts& parts, const std::string& state_directory, Console& console) const {
    if (const int code = check_law(state_directory, console); code != to_int(ExitCode::ok) || watch_) return code;
    const std::uint64_t refused = flow::done_items(parts.recovery().status().counters).quarantined;
    if (refused == 0) return to_int(ExitCode::ok);
    explain(parts, console);
    return console.error(fmt::format("the Collector refused {} items for good", refused),
                         "they are kept in the quarantine", "`arca query` and `arca inspect` show them.",
                         ExitCode::failure);
  }

  static int check_law(const std::string& state_directory, Console& console) {
    if (!os::posix_file_system().exists(state_directory)) return to_int(ExitCode::ok);
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
  bool scan_rows_ = false;
  std::string scan_ = "default";
  std::string datacenter_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_recover_command() { return std::make_unique<RecoverCommand>(); }

}  // namespace arca::cli
