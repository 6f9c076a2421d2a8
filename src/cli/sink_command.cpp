#include "cli/sink_command.hpp"

#include <sys/epoll.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/sink/sink_server.hpp"
#include "cli/sink_text.hpp"
#include "cli/stop_signal.hpp"
#include "cli/units.hpp"

namespace arca::cli {

namespace {

constexpr std::string_view stop_hint = "Stop with SIGINT or SIGTERM; SIGUSR1 prints the report.";

class SinkCommand final : public Command {
 public:
  [[nodiscard]] const CommandText& text() const override { return sink_text(); }

  void add_options(CLI::App& app) override {
    app.add_option("--grpc-port", options_.grpc_port, "Port for OTLP over gRPC; 0 takes a free one")
        ->type_name("PORT")
        ->capture_default_str();
    app.add_option("--http-port", options_.http_port, "Port for OTLP over HTTP/1.1; 0 takes a free one")
        ->type_name("PORT")
        ->capture_default_str();
    app.add_option("--control-port", options_.control_port,
                   "Port for reports and commands, on loopback; 0 takes a free one")
        ->type_name("PORT")
        ->capture_default_str();
    app.add_option("--listen", options_.listen, "IPv4 address of the OTLP ports; 0.0.0.0 for all interfaces")
        ->type_name("ADDRESS")
        ->capture_default_str();
    app.add_option("--ready-file", ready_path_,
                   "Also writes the ready line to this file, whole, once all ports are open")
        ->type_name("FILE");
    app.add_option("--track", track_,
                   "What to remember of items: none, ids (span ids), sequences (test.stream and test.seq, "
                   "arca.seq, bench.seq), or both as ids,sequences")
        ->type_name("WHAT")
        ->default_str("ids")
        ->delimiter(',')
        ->check(CLI::IsMember({"none", "ids", "sequences"}));
    app.add_option("--track-max", options_.track.count_max, "Span ids to remember at most, at about 12 bytes each")
        ->type_name("COUNT")
        ->capture_default_str();
    app.add_option("--report", options_.report_path,
                   "Writes the JSON report to this file, whole, again and again and at the end")
        ->type_name("FILE");
    add_checked(app, "--report-interval", report_interval_, "How often the report file is written", "TIME",
                check_duration);
    app.add_option("--write", options_.write_path,
                   "Appends every request taken: length (4 bytes, little-endian), "
                   "signal (1 byte: 0 traces, 1 metrics, 2 logs), request")
        ->type_name("FILE");
    add_checked(app, "--write-max", write_max_, "Size at which the --write file stops growing", "SIZE", check_bytes);
    app.add_option("--behave", behave_, "How to behave from the start; see BEHAVIOUR above")
        ->type_name("BEHAVIOUR")
        ->capture_default_str();
    app.add_option("--schedule", schedule_,
                   "How to behave when: steps 'TIME BEHAVIOUR', separated by ;, the first at 0s; a "
                   "last step 'TIME repeat' begins again")
        ->type_name("STEPS");
    app.add_option("--fail-ratio", fail_ratio_, "Share of requests that --fail-with hits, 0 to 1")
        ->type_name("RATIO")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    app.add_option("--fail-with", fail_with_,
                   "The behaviour for that share; short for --behave 'BEHAVIOUR ratio=RATIO'")
        ->type_name("BEHAVIOUR");
    add_checked(app, "--bandwidth", bandwidth_,
                "Reads no more than so many bytes a second, over all connections; 0 is no limit", "SIZE", check_bytes);
    add_checked(app, "--max-body", body_max_, "Larger requests are answered 413 or RESOURCE_EXHAUSTED", "SIZE",
                check_bytes);
    app.add_option("--seed", options_.seed, "Seed of the dice behind ratio=")
        ->type_name("NUMBER")
        ->capture_default_str();
    app.add_flag("--quiet", quiet_, "Prints no report at the end");
  }

  int run(Console& console) override {
    if (const auto done = finish_options(); !done) {
      return console.error("sink", done.error().message(), "Run `arca sink --help` to see what is allowed.",
                           ExitCode::usage);
    }
    os::SystemClock clock;
    sink::EventLoop loop(clock);
    const auto server = sink::SinkServer::open(options_, loop);
    if (!server) {
      const bool busy = server.error().code() == ErrorCode::busy;
      return console.error("sink cannot listen", server.error().message(),
                           busy ? "Choose another port, or 0 for a free one." : "",
                           busy ? ExitCode::busy : ExitCode::failure);
    }
    if (!ready_path_.empty()) {
      if (const auto written = sink::write_atomically(ready_path_, (*server)->ready_line() + "\n"); !written) {
        return console.error("sink", written.error().message(), "Check the path of --ready-file.", ExitCode::failure);
      }
    }
    StopSignal signals;
    const auto watched = loop.watch(signals.descriptor(), EPOLLIN, [&](std::uint32_t) {
      signals.drain();
      if (signals.take_report_request()) console.print((*server)->report().dump(2));
      if (signals.requested()) loop.stop();
    });
    if (!watched) return console.error("sink", watched.error().message(), "", ExitCode::failure);
    console.print((*server)->ready_line());
    if (console.out_is_terminal()) console.note(stop_hint);
    loop.run();
    if (!quiet_) console.print((*server)->report().dump(2));
    if (const auto written = (*server)->write_report(); !written) {
      return console.error("sink cannot write its report", written.error().message(), "", ExitCode::failure);
    }
    return to_int(ExitCode::ok);
  }

 private:
  static void add_checked(CLI::App& app, const char* name, std::string& value, const char* description,
                          const char* type, std::string (*check)(const std::string&)) {
    app.add_option(name, value, description)->type_name(type)->check(CLI::Validator(check, ""))->capture_default_str();
  }

  // From texts to values; what CLI11 could not check.
  Result<void> finish_options() {
    options_.report_interval = std::max<base::Duration>(
        parse_duration(report_interval_).value_or(base::Duration::zero()), std::chrono::milliseconds(10));
    options_.write_max = parse_bytes(write_max_).value_or(0);
    options_.bytes_per_second_max = parse_bytes(bandwidth_).value_or(0);
    options_.body_max = static_cast<std::size_t>(parse_bytes(body_max_).value_or(0));
    options_.track.ids = std::find(track_.begin(), track_.end(), "ids") != track_.end();
    options_.track.sequences = std::find(track_.begin(), track_.end(), "sequences") != track_.end();
    const auto behaviour = sink::parse_behaviour(fail_with_.empty() ? behave_ : fail_with_);
    if (!behaviour) return failure(behaviour.error());
    options_.behaviour = *behaviour;
    if (!fail_with_.empty()) options_.behaviour.ratio = fail_ratio_;
    auto schedule = sink::parse_schedule(schedule_);
    if (!schedule) return failure(schedule.error());
    options_.schedule = std::move(*schedule);
    return {};
  }

  sink::SinkOptions options_;
  std::string ready_path_;
  std::vector<std::string> track_{"ids"};
  std::string report_interval_ = "1s";
  std::string write_max_ = "256MiB";
  std::string behave_ = "ok";
  std::string schedule_;
  double fail_ratio_ = 1;
  std::string fail_with_;
  std::string bandwidth_ = "0";
  std::string body_max_ = "64MiB";
  bool quiet_ = false;
};

}  // namespace

std::unique_ptr<Command> make_sink_command() { return std::make_unique<SinkCommand>(); }

}  // namespace arca::cli
