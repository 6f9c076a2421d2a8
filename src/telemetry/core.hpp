// Core: what tracers, loggers and spans of one Telemetry share. It is never destroyed: spans hold plain pointers into
// it, and applications keep spans, tracers and loggers for as long as they like. A few hundred bytes for each start.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "arca/config.hpp"
#include "os/clock.hpp"
#include "os/fork.hpp"
#include "otlp/span_writer.hpp"
#include "telemetry/fast_clock.hpp"
#include "telemetry/recorder.hpp"
#include "telemetry/sampler.hpp"

namespace arca::telemetry {

// Thread-safe.
struct Core {
  Core(const FinalizedConfig& config, os::Clock& from, bool allow_counter, std::vector<std::byte> resource_bytes);

  // Makes a core that lives as long as the process.
  static Core& make(const FinalizedConfig& config, os::Clock& clock, bool allow_counter,
                    std::vector<std::byte> resource_bytes);

  FastClock clock;
  Recorder recorder;
  const Sampler sampler;
  const otlp::SpanLimits span_limits;
  const otlp::AttributeLimits log_limits;
  ResourceSlot resource;
};

// Scopes by their name, version, schema URL and attributes; each is made once and lives as long as the core.
// Thread-safe.
template <class Item>
class ScopeTable final : public os::ForkSubscriber {
 public:
  ScopeTable() { os::subscribe_to_fork(*this); }
  ~ScopeTable() override { os::unsubscribe_from_fork(*this); }
  ScopeTable(const ScopeTable&) = delete;
  ScopeTable& operator=(const ScopeTable&) = delete;

  // Makes a table that lives as long as the process, like the core.
  static ScopeTable& make() {
    // Kept reachable, so that leak checkers see that it is meant.
    static auto* const mutex = new std::mutex;
    static auto* const tables = new std::vector<std::unique_ptr<ScopeTable>>;
    const std::lock_guard lock(*mutex);
    tables->push_back(std::make_unique<ScopeTable>());
    return *tables->back();
  }

  template <class Make>
  Item& find_or_make(const std::string& key, Make make) {
    const std::lock_guard lock(mutex_);
    auto& item = items_[key];
    if (item == nullptr) item = make();
    return *item;
  }

 private:
  // A child must not inherit a table in the middle of a change, nor a lock that nobody there gives back.
  void prepare_fork() noexcept override { mutex_.lock(); }
  void after_fork_in_parent() noexcept override { mutex_.unlock(); }
  void after_fork_in_child() noexcept override { mutex_.unlock(); }

  std::mutex mutex_;
  std::unordered_map<std::string, std::unique_ptr<Item>> items_;
};

}  // namespace arca::telemetry
