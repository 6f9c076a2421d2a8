// TimedReader: a metric reader around the SDK's periodic one that says how long each collection took, which the SDK
// tells nobody. Used by our own meter providers.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "base/time.hpp"
#include "opentelemetry/sdk/metrics/metric_reader.h"
#include "os/clock.hpp"

namespace arca::telemetry {

// Who is told of collections; may come and go while readers live. Thread-safe.
class CollectionListener {
 public:
  using Hear = std::function<void(base::Duration)>;
  void set(Hear hear) {
    auto next = hear ? std::make_shared<const Hear>(std::move(hear)) : nullptr;
    const std::lock_guard lock(mutex_);
    hear_.swap(next);
  }
  void tell(base::Duration duration) const {
    std::shared_ptr<const Hear> hear;
    {
      const std::lock_guard lock(mutex_);
      hear = hear_;
    }
    if (hear != nullptr) (*hear)(duration);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Hear> hear_;  // protected by mutex_
};

// Thread-safe, as the SDK's readers are.
class TimedReader final : public opentelemetry::sdk::metrics::MetricReader {
 public:
  using Inner = opentelemetry::sdk::metrics::MetricReader;
  // `clock` outlives it.
  TimedReader(std::unique_ptr<Inner> inner, std::shared_ptr<const CollectionListener> listener, os::Clock& clock);
  ~TimedReader() override;

  [[nodiscard]] opentelemetry::sdk::metrics::AggregationTemporality GetAggregationTemporality(
      opentelemetry::sdk::metrics::InstrumentType type) const noexcept override;

 private:
  class Producer;  // what the inner reader collects from

  void OnInitialized() noexcept override;
  bool OnForceFlush(std::chrono::microseconds timeout) noexcept override;
  bool OnShutDown(std::chrono::microseconds timeout) noexcept override;

  std::unique_ptr<Producer> producer_;
  std::unique_ptr<Inner> inner_;  // last: its thread ends before what it uses
};

}  // namespace arca::telemetry
