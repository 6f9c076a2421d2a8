// Agent: what `arca agent` does, wired once from a checked config: the scrape loop, the follower of logs and the
// probes, each on its own thread. It speaks to the official OpenTelemetry API only; where the telemetry goes is
// decided by the providers that the front door installed. Used by AgentCommand; tests install stock providers.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "arca/result.hpp"
#include "cli/agent/agent_config.hpp"
#include "cli/agent/host_metrics.hpp"
#include "cli/agent/host_reader.hpp"
#include "cli/agent/http_probe.hpp"
#include "cli/agent/log_emitter.hpp"
#include "cli/agent/log_follower.hpp"
#include "cli/agent/positions.hpp"

namespace arca::cli::agent {

inline constexpr const char* scope_name = "arca.agent";

// What the agent stands on. Everything outlives it.
struct AgentParts {
  os::FileSystem& file_system;
  os::Clock& clock;
  std::string state_directory;                         // positions of followed files are kept in it
  std::function<std::uint64_t()> refused_log_records;  // of the front door; may be empty
  std::function<void(std::string_view)> say;           // tells people; thread-safe
};

// Reads the host and its processes once per step and publishes what it saw. Not thread-safe.
class HostScraper {
 public:
  HostScraper(const AgentConfig& config, const std::function<void(std::string_view)>& say);
  void step();

 private:
  HostReader reader_;
  const bool with_processes_;
  opentelemetry::nostd::shared_ptr<opentelemetry::trace::Tracer> tracer_;
  DurationHistogram duration_;
  opentelemetry::nostd::shared_ptr<opentelemetry::metrics::Meter> meter_;
  const std::function<void(std::string_view)> say_;
  bool told_ = false;    // that something is unreadable
  HostMetrics metrics_;  // last: its callbacks run on the SDK's threads
};

// Follows the configured files and counts its own work. Not thread-safe.
class LogTail {
 public:
  LogTail(const AgentConfig& config, const AgentParts& parts);
  Result<void> start() { return follower_.start(); }
  bool step();  // true: there is more to read
  void finish();
  [[nodiscard]] const LogFollowerCounts& counts() const { return follower_.counts(); }

 private:
  void report();

  const std::function<void(std::string_view)> say_;
  PositionStore store_;
  LogEmitter emitter_;
  LogFollower follower_;
  LogFollowerCounts told_;  // what the counters have been told already
  opentelemetry::nostd::shared_ptr<opentelemetry::metrics::Meter> meter_;
  opentelemetry::nostd::unique_ptr<opentelemetry::metrics::Counter<std::uint64_t>> records_, bytes_, refusals_;
  opentelemetry::nostd::unique_ptr<opentelemetry::metrics::UpDownCounter<std::int64_t>> files_;
};

// Runs the probes when they are due, on a few threads. Thread-safe.
class ProbeRunner {
 public:
  ProbeRunner(const AgentConfig& config, os::Clock& clock);
  [[nodiscard]] std::size_t thread_count() const;
  // Runs the one that is due first, if any is; how long to wait for the next otherwise.
  std::optional<base::Duration> step();
  void run_all();

 private:
  struct Slot {
    std::unique_ptr<HttpProbe> probe;
    base::SteadyTime due{};
    bool busy = false;
  };
  os::Clock& clock_;
  std::mutex mutex_;
  std::vector<Slot> slots_;  // protected by mutex_; a busy slot's probe belongs to the thread that runs it
};

// Not thread-safe: the main thread owns it.
class Agent {
 public:
  // The config must have passed check_agent_config.
  Agent(const AgentConfig& config, AgentParts parts);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Starts the threads.
  Result<void> start();
  // Stops them after the step at hand (a probe ends at its time-out), hands on unfinished lines and remembers
  // positions.
  void stop();
  // Everything once, on this thread: a scrape, all that the logs hold now, each probe.
  Result<void> run_once();

 private:
  Result<void> spawn(const std::string& name, std::function<void(std::stop_token)> body);
  void sleep(const std::stop_token& stop, base::Duration duration);

  const AgentConfig config_;
  const AgentParts parts_;
  std::unique_ptr<HostScraper> scraper_;
  std::unique_ptr<LogTail> logs_;
  std::unique_ptr<ProbeRunner> probes_;
  std::mutex sleep_mutex_;
  std::condition_variable_any stopped_;
  std::vector<std::jthread> threads_;  // last: they use everything above
};

}  // namespace arca::cli::agent
