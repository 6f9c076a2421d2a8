#include "cli/agent/agent.hpp"

#include <algorithm>

#include "os/thread.hpp"

namespace arca::cli::agent {
namespace {
constexpr int once_steps_max = 100'000;  // of 1 MiB per file: an end for files that grow faster than we read
}

Agent::Agent(const AgentConfig& config, AgentParts parts) : config_(config), parts_(std::move(parts)) {
  const bool processes = !config_.processes.empty() || config_.processes_top > 0;
  if (config_.host || processes) scraper_ = std::make_unique<HostScraper>(config_, parts_.say);
  if (!config_.logs.empty()) logs_ = std::make_unique<LogTail>(config_, parts_);
  if (!config_.probes.empty()) probes_ = std::make_unique<ProbeRunner>(config_, parts_.clock);
}

Agent::~Agent() { stop(); }

Result<void> Agent::start() {
  if (logs_) {
    if (auto started = logs_->start(); !started) return started;
    auto spawned = spawn("arca-logs", [this](const std::stop_token& stop) {
      while (!stop.stop_requested())
        if (!logs_->step()) sleep(stop, config_.poll_interval);
      logs_->finish();
    });
    if (!spawned) return spawned;
  }
  if (scraper_) {
    auto spawned = spawn("arca-scrape", [this](const std::stop_token& stop) {
      auto due = parts_.clock.steady_now();
      while (!stop.stop_requested()) {
        scraper_->step();
        // A beat, not a pause: the interval does not grow by the time that a scrape takes.
        const auto now = parts_.clock.steady_now();
        while (due <= now) due += config_.scrape_interval;
        sleep(stop, due - now);
      }
    });
    if (!spawned) return spawned;
  }
  for (std::size_t i = 0; probes_ && i < probes_->thread_count(); ++i) {
    auto spawned = spawn("arca-probe", [this](const std::stop_token& stop) {
      while (!stop.stop_requested())
        if (const auto wait = probes_->step()) sleep(stop, *wait);
    });
    if (!spawned) return spawned;
  }
  return {};
}

void Agent::stop() {
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();  // joins
}

Result<void> Agent::run_once() {
  if (scraper_) scraper_->step();
  if (logs_) {
    if (auto started = logs_->start(); !started) return started;
    for (int i = 0; i < once_steps_max && logs_->step(); ++i) {
    }
    logs_->finish();
  }
  if (probes_) probes_->run_all();
  return {};
}

Result<void> Agent::spawn(const std::string& name, std::function<void(std::stop_token)> body) {
  auto thread = os::start_thread(name, std::move(body));
  if (!thread) return failure(thread.error().with_context("agent"));
  threads_.push_back(std::move(*thread));
  return {};
}

void Agent::sleep(const std::stop_token& stop, base::Duration duration) {
  std::unique_lock lock(sleep_mutex_);
  stopped_.wait_for(lock, stop, duration, [] { return false; });
}

}  // namespace arca::cli::agent
