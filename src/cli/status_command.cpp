#include "cli/status_command.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/state_directory.hpp"
#include "cli/status_report.hpp"
#include "cli/stop_signal.hpp"
#include "cli/units.hpp"
#include "os/clock.hpp"

namespace arca::cli {

namespace {

class StatusCommand final : public Command {
 public:
  [[nodiscard]] const CommandText& text() const override {
    static const CommandText text{
        "status",
        "shows whether the conservation law holds, what is kept, and for how long that can go on",
        "Reads the state directory: the pools and journals of live and dead writers, and the ledger of finished ones. "
        "It changes nothing, takes no lock, and may run beside anything.\n\n"
        "The law, for each signal, for each writer and in sum:\n\n"
        "  accepted = delivered + parked + quarantined + in journal + in memory + refused + lost\n\n"
        "\"in memory\" lies in a mapped file and survives the process. \"refused\" was turned away by policy because "
        "every "
        "tier was full. \"lost\" must be 0. The breaker before the Collector and its last error are those that live "
        "processes publish. \"full in\" is the time left at the rate at which the backlog grows between two looks; it "
        "is "
        "absent while the backlog does not grow.",
        {{"Shows the default state directory", "arca status"},
         {"For a script: fails when something was lost",
          "arca status --state /var/lib/arca --json > status.json || page-somebody"}},
        {{ExitCode::ok, "the law holds and nothing is lost"},
         {ExitCode::failure, "the state directory cannot be read"},
         {ExitCode::usage, ""},
         {ExitCode::law_broken, ""}},
        {"arca-inspect(1)", "arca-recover(1)"}};
    return text;
  }

  void add_options(CLI::App& app) override {
    app.add_option("--state", state_, "The state directory; without it, as ARCA_STATE_DIRECTORY and the defaults say")
        ->type_name("DIRECTORY");
    app.add_flag("--json", json_, "Prints one JSON object");
    app.add_option("--sample", sample_,
                   "Time between the two looks that give the rate, when a writer lives; 0 looks once")
        ->type_name("TIME")
        ->check(CLI::Validator(check_duration, ""))
        ->capture_default_str();
  }

  int run(Console& console) override {
    const auto directory = resolve_state_directory(state_);
    if (!directory) {
      return console.error("status", directory.error().message(), "Name a directory with --state.", ExitCode::usage);
    }
    os::FileSystem& files = os::posix_file_system();
    os::SystemClock clock;
    auto first = view_state_calmly(files, *directory);
    if (!first) {
      return console.error("cannot read the state", first.error().message(), "Check --state and its permissions.",
                           ExitCode::failure);
    }
    StatusReport report{*directory, std::move(*first), clock.wall_now(), std::nullopt};
    const base::Duration sample = parse_duration(sample_).value_or(base::Duration::zero());
    if (sample > base::Duration::zero() && has_live_writer(report.state)) {
      StopSignal stop;
      if (!stop.wait(sample)) {
        const std::uint64_t before = report.state.backlog_bytes();
        if (auto second = view_state_calmly(files, *directory)) {
          report.state = std::move(*second);
          report.seen_at = clock.wall_now();
          const double grown = static_cast<double>(report.state.backlog_bytes()) - static_cast<double>(before);
          report.growth_bytes_per_second = grown / std::chrono::duration<double>(sample).count();
        }
      }
    }
    console.print(json_ ? status_as_json(report).dump(2) : status_as_text(report, console));
    const bool fine = report.state.holds() && lost_items(report.state.sum()) == 0;
    return to_int(fine ? ExitCode::ok : ExitCode::law_broken);
  }

 private:
  static bool has_live_writer(const StateView& state) {
    return std::any_of(state.writers.begin(), state.writers.end(),
                       [](const WriterView& writer) { return writer.live; });
  }

  std::string state_;
  std::string sample_ = "1s";
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_status_command() { return std::make_unique<StatusCommand>(); }

}  // namespace arca::cli
