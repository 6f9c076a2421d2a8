#include "telemetry/timed_reader.hpp"

#include "opentelemetry/sdk/metrics/export/metric_producer.h"
#include "os/log.hpp"

namespace arca::telemetry {

namespace sdk_metrics = opentelemetry::sdk::metrics;

class TimedReader::Producer final : public sdk_metrics::MetricProducer {
 public:
  Producer(TimedReader& outer, std::shared_ptr<const CollectionListener> listener, os::Clock& clock)
      : outer_(outer), listener_(std::move(listener)), clock_(clock) {}

  Result Produce() noexcept override {
    const base::SteadyTime begin = clock_.steady_now();
    Result result{};
    const bool collected = outer_.Collect([&result](sdk_metrics::ResourceMetrics& data) {
      result.points_ = std::move(data);
      return true;
    });
    result.status_ = collected ? Status::kSuccess : Status::kFailure;
    try {
      listener_->tell(clock_.steady_now() - begin);
    } catch (const std::exception& error) {
      os::log(os::LogLevel::debug, "a collection is not measured: {}", error.what());
    }
    return result;
  }

 private:
  TimedReader& outer_;
  const std::shared_ptr<const CollectionListener> listener_;
  os::Clock& clock_;
};

TimedReader::TimedReader(std::unique_ptr<Inner> inner, std::shared_ptr<const CollectionListener> listener,
                         os::Clock& clock)
    : producer_(std::make_unique<Producer>(*this, std::move(listener), clock)), inner_(std::move(inner)) {}

TimedReader::~TimedReader() = default;

sdk_metrics::AggregationTemporality TimedReader::GetAggregationTemporality(
    sdk_metrics::InstrumentType type) const noexcept {
  return inner_->GetAggregationTemporality(type);
}

void TimedReader::OnInitialized() noexcept { inner_->SetMetricProducer(producer_.get()); }
bool TimedReader::OnForceFlush(std::chrono::microseconds timeout) noexcept { return inner_->ForceFlush(timeout); }
bool TimedReader::OnShutDown(std::chrono::microseconds timeout) noexcept { return inner_->Shutdown(timeout); }

}  // namespace arca::telemetry
