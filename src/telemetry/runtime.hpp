// Runtime: what stands behind arca::Telemetry. It owns the providers and the pipeline of this process, starts and ends
// them, and gives a forked child a pipeline of its own.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "arca/config.hpp"
#include "arca/status.hpp"
#include "flow/doorbell.hpp"
#include "opentelemetry/logs/logger_provider.h"
#include "opentelemetry/nostd/shared_ptr.h"
#include "opentelemetry/sdk/metrics/meter_provider.h"
#include "opentelemetry/trace/tracer_provider.h"
#include "os/clock.hpp"
#include "os/fork.hpp"
#include "telemetry/core.hpp"
#include "telemetry/pipeline.hpp"
#include "telemetry/timed_reader.hpp"

namespace arca::telemetry {

// Thread-safe.
class Runtime final : private os::ForkSubscriber {
 public:
  static Result<std::unique_ptr<Runtime>> start(const FinalizedConfig& config, os::Clock& clock,
                                                Destination destination = Destination::collector);
  ~Runtime() override;

  FlushReport flush(std::chrono::milliseconds timeout);
  FlushReport shutdown(std::chrono::milliseconds timeout);
  [[nodiscard]] Status status() const;

  [[nodiscard]] const FinalizedConfig& config() const noexcept { return config_; }
  // Null when telemetry is disabled.
  [[nodiscard]] Core* core() const noexcept { return core_; }
  [[nodiscard]] std::shared_ptr<Pipeline> pipeline() const;
  // Makes what was recorded leave before what comes later.
  void seal();

  opentelemetry::nostd::shared_ptr<opentelemetry::trace::TracerProvider> tracer_provider;
  opentelemetry::nostd::shared_ptr<opentelemetry::logs::LoggerProvider> logger_provider;
  [[nodiscard]] opentelemetry::nostd::shared_ptr<opentelemetry::metrics::MeterProvider> meter_provider() const;

 private:
  using MeterProvider = opentelemetry::sdk::metrics::MeterProvider;
  using MeterHandle = opentelemetry::nostd::shared_ptr<opentelemetry::metrics::MeterProvider>;

  // A thread that ticks once a second, with what it sleeps on.
  struct Housekeeper {
    flow::Doorbell doorbell;
    std::jthread thread;
  };

  Runtime(const FinalizedConfig& config, os::Clock& clock, Destination destination)
      : config_(config), clock_(clock), destination_(destination) {}

  Result<void> begin();
  Result<void> begin_pipeline();
  void begin_metrics();
  Result<void> begin_housekeeper();
  void install() const;
  void uninstall() const;
  const Intake* reopen();
  void tick();
  // Lets go of everything that belongs to the parent.
  void abandon_inherited();
  [[nodiscard]] bool is_inherited() const noexcept { return generation_.load() != os::fork_generation(); }
  // What the end came to: whoever asks afterwards is told the same.
  FlushReport keep_last(const FlushReport& report, Status status);
  [[nodiscard]] FlushReport last_report() const;
  // Whether nobody holds what pipeline() gave out, waiting until the deadline for those who do.
  [[nodiscard]] bool is_left(std::future<void> left, base::SteadyTime deadline) const;
  bool flush_metrics(base::SteadyTime deadline);
  void shutdown_metrics(base::SteadyTime deadline);
  std::shared_ptr<MeterProvider> make_meter_provider(std::chrono::milliseconds interval,
                                                     std::chrono::milliseconds timeout,
                                                     std::shared_ptr<const CollectionListener> collections);

  void prepare_fork() noexcept override { mutex_.lock(); }
  void after_fork_in_parent() noexcept override { mutex_.unlock(); }
  void after_fork_in_child() noexcept override { mutex_.unlock(); }

  const FinalizedConfig config_;
  os::Clock& clock_;
  const Destination destination_;
  Core* core_ = nullptr;
  bool subscribed_ = false;
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<std::uint32_t> epoch_{0};
  std::atomic<bool> shut_down_{false};
  std::atomic<std::uint64_t> missed_{0};  // refused and lost items that an earlier flush has told of

  mutable std::mutex mutex_;                  // held for moments only: a fork waits for it
  std::unique_ptr<Pipeline> owned_pipeline_;  // these protected by mutex_
  // What everybody else gets, to use for a moment: it owns nothing, so that the end can let go of it and see for
  // certain whether somebody is still inside.
  std::shared_ptr<Pipeline> pipeline_;
  std::future<void> pipeline_left_;  // by the last of them
  std::shared_ptr<MeterProvider> meters_;
  std::shared_ptr<MeterProvider> self_meters_;
  Status last_status_;
  FlushReport last_report_{.outcome = FlushOutcome::incomplete, .kept_item_count = 0};  // until the end is over
  std::shared_ptr<void> self_metrics_;
  std::shared_ptr<void> self_durations_;
  std::unique_ptr<Housekeeper> housekeeper_;
};

}  // namespace arca::telemetry
