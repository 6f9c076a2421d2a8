#include "cli/agent/agent_command.hpp"

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <mutex>

#include "arca/telemetry.hpp"
#include "cli/agent/agent.hpp"
#include "cli/agent/agent_text.hpp"
#include "cli/stop_signal.hpp"
#include "cli/units.hpp"
#include "os/environment.hpp"
#include "os/lock_file.hpp"

namespace arca::cli {
namespace {

using agent::AgentConfig;

std::atomic<bool> reload_requested{false};

// SIGHUP for as long as it lives. The signal interrupts the wait of StopSignal, which runs on the main thread.
class ReloadSignal {
 public:
  ReloadSignal() {
    struct sigaction action {};
    action.sa_handler = [](int) { reload_requested.store(true); };
    ::sigaction(SIGHUP, &action, &former_);
  }
  ~ReloadSignal() { ::sigaction(SIGHUP, &former_, nullptr); }
  ReloadSignal(const ReloadSignal&) = delete;
  ReloadSignal& operator=(const ReloadSignal&) = delete;
  static bool take() { return reload_requested.exchange(false); }

 private:
  struct sigaction former_ {};
};

class AgentCommand final : public Command {
 public:
  [[nodiscard]] const CommandText& text() const override { return agent_text(); }

  void add_options(CLI::App& app) override {
    app.add_option("-c,--config", config_path_, "YAML configuration")->type_name("FILE");
    app.add_option("--log", logs_, "Follows files that match this shell pattern; may be repeated")
        ->type_name("PATTERN");
    app.add_option("--probe", probes_, "Asks this URL; may be repeated")->type_name("URL");
    app.add_option("--process", processes_, "Reports processes of this name; may be repeated")->type_name("NAME");
    app.add_option("--top", top_, "Reports so many of the busiest processes")
        ->type_name("COUNT")
        ->check(CLI::Range(0, 256));
    app.add_option("--interval", interval_, "Time between two scrapes and two probes")
        ->type_name("TIME")
        ->check(CLI::Validator(check_duration, ""));
    app.add_option("--proc", proc_root_, "Where /proc of the host to watch is mounted")->type_name("DIRECTORY");
    app.add_option("--state", state_directory_,
                   "Where positions and undelivered telemetry are kept "
                   "(ARCA_STATE_DIRECTORY)")
        ->type_name("DIRECTORY");
    app.add_flag("--from-beginning", from_beginning_, "--log reads files from their beginning at the very first start");
    app.add_flag("--once", once_, "Does everything once, delivers, and ends");
    app.add_flag("--check", check_, "Checks the configuration and ends");
  }

  int run(Console& console) override {
    auto config = load();
    if (!config) return console.error("agent", config.error().message(), "See `arca agent --help`.", ExitCode::usage);
    const auto finalized = finalize(telemetry_config(*config));
    if (!finalized) {
      return console.error("agent", finalized.error().message(), "See docs/configuration.md.", ExitCode::usage);
    }
    if (check_) {
      console.print("configuration is valid: " + describe(*config));
      return to_int(ExitCode::ok);
    }
    const std::string state_directory = (*finalized)->state_directory + "/agent";
    if (const auto locked = lock_positions(*config, state_directory); !locked) {
      const bool busy = locked.error().code() == ErrorCode::busy;
      return console.error("agent", locked.error().message(),
                           busy ? "Give each agent its own --state." : "Check --state.",
                           busy ? ExitCode::busy : ExitCode::failure);
    }
    StopSignal stop;
    const ReloadSignal reload;
    auto telemetry = Telemetry::start(*finalized);
    if (!telemetry) return console.error("agent", telemetry.error().message(), "", ExitCode::failure);
    return watch(console, std::move(*config), **telemetry, state_directory, stop);
  }

 private:
  // Two followers with one file of positions would overwrite each other.
  Result<void> lock_positions(const AgentConfig& config, const std::string& state_directory) {
    if (config.logs.empty() || lock_ != nullptr) return {};
    if (const auto made = os::posix_file_system().make_directories(state_directory); !made) return made;
    auto taken = os::LockFile::acquire(state_directory + "/lock");
    if (!taken) return failure(taken.error());
    lock_ = std::move(*taken);
    return {};
  }

  int watch(Console& console, AgentConfig config, Telemetry& telemetry, const std::string& state_directory,
            StopSignal& stop) {
    std::mutex console_mutex;
    const agent::AgentParts parts{os::posix_file_system(), clock_, state_directory,
                                  [&telemetry] { return telemetry.status().logs.refused; },
                                  [&](std::string_view text) {
                                    const std::lock_guard guard(console_mutex);
                                    console.note("agent: " + std::string(text));
                                  }};
    auto running = std::make_unique<agent::Agent>(config, parts);
    if (auto started = once_ ? running->run_once() : running->start(); !started) {
      return console.error("agent", started.error().message(), "", ExitCode::failure);
    }
    if (!once_) parts.say("watching " + describe(config));
    while (!once_ && !stop.wait(std::chrono::seconds(1))) {
      if (!ReloadSignal::take()) continue;
      auto fresh = load();
      const Result<void> locked = fresh ? lock_positions(*fresh, state_directory) : failure(fresh.error());
      if (!locked) {
        parts.say("configuration refused, the old one stays: " + locked.error().message());
        continue;
      }
      running.reset();  // remembers positions, from which the next one goes on
      config = std::move(*fresh);
      running = std::make_unique<agent::Agent>(config, parts);
      if (auto started = running->start(); !started) {
        return console.error("agent", started.error().message(), "", ExitCode::failure);
      }
      parts.say("configuration read again: watching " + describe(config));
    }
    if (once_) telemetry.force_flush(config.drain_timeout);  // collects the metrics while their source is alive
    running.reset();
    const FlushReport report = telemetry.shutdown(config.drain_timeout);
    if (report.outcome == FlushOutcome::delivered) return to_int(ExitCode::ok);
    console.note("agent: " + std::to_string(report.kept_item_count) +
                 " records are kept in the state directory and will be delivered by the next start or `arca recover`");
    return to_int(ExitCode::incomplete);
  }

  // The file, then the flags on top of it.
  Result<AgentConfig> load() const {
    AgentConfig config;
    if (!config_path_.empty()) {
      auto loaded = agent::load_agent_config(config_path_);
      if (!loaded) return loaded;
      config = std::move(*loaded);
    }
    const std::optional<base::Duration> interval = interval_.empty() ? std::nullopt : parse_duration(interval_);
    if (interval) {
      if (*interval < std::chrono::milliseconds(100)) {
        return failure(ErrorCode::invalid_config, "--interval: at least 100ms is allowed");
      }
      config.scrape_interval = std::chrono::duration_cast<std::chrono::milliseconds>(*interval);
    }
    for (const std::string& pattern : logs_) config.logs.push_back({pattern, from_beginning_, "", {}});
    for (const std::string& url : probes_) {
      config.probes.emplace_back().url = url;
      if (interval) config.probes.back().interval = config.scrape_interval;
    }
    for (const std::string& name : processes_) config.processes.push_back({name, {}, {}});
    if (top_ >= 0) config.processes_top = top_;
    if (!proc_root_.empty()) config.proc_root = proc_root_;
    if (auto checked = agent::check_agent_config(config); !checked) return failure(checked.error());
    return config;
  }

  [[nodiscard]] Config telemetry_config(const AgentConfig& config) const {
    Config wanted;
    if (config.service_name) wanted.service_name = config.service_name;
    if (!config.service_name && !os::SystemEnvironment().get("OTEL_SERVICE_NAME")) wanted.service_name = "arca-agent";
    if (!state_directory_.empty()) wanted.state_directory = state_directory_;
    if (!os::SystemEnvironment().get("OTEL_METRIC_EXPORT_INTERVAL")) wanted.metric_interval = config.scrape_interval;
    return wanted;
  }

  static std::string describe(const AgentConfig& config) {
    return std::string(config.host ? "the host, " : "") + std::to_string(config.processes.size()) +
           " process selectors, top " + std::to_string(config.processes_top) + ", " +
           std::to_string(config.logs.size()) + " log patterns, " + std::to_string(config.probes.size()) +
           " probes; a scrape every " + format_duration(config.scrape_interval);
  }

  os::SystemClock clock_;
  std::unique_ptr<os::LockFile> lock_;  // of the positions, from the first configuration on that has logs
  std::string config_path_, interval_, proc_root_, state_directory_;
  std::vector<std::string> logs_, probes_, processes_;
  int top_ = -1;
  bool from_beginning_ = false, once_ = false, check_ = false;
};

}  // namespace

std::unique_ptr<Command> make_agent_command() { return std::make_unique<AgentCommand>(); }

}  // namespace arca::cli
