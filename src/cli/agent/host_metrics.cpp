#include "cli/agent/host_metrics.hpp"

#include <opentelemetry/metrics/observer_result.h>

#include <limits>

namespace arca::cli::agent {
namespace {

namespace metrics = opentelemetry::metrics;
namespace nostd = opentelemetry::nostd;

// Hands points to the SDK. An instrument takes one of the two number types, as its table row says.
class ResultObserver final : public PointObserver {
 public:
  explicit ResultObserver(metrics::ObserverResult& result) : result_(result) {}
  void count(std::uint64_t value, const Attributes& attributes) override {
    constexpr std::uint64_t value_max = std::numeric_limits<std::int64_t>::max();
    give(static_cast<std::int64_t>(value < value_max ? value : value_max), attributes);
  }
  void real(double value, const Attributes& attributes) override { give(value, attributes); }

 private:
  template <class Value>
  void give(Value value, const Attributes& attributes) {
    using Typed = nostd::shared_ptr<metrics::ObserverResultT<Value>>;
    if (nostd::holds_alternative<Typed>(result_)) nostd::get<Typed>(result_)->Observe(value, attributes);
  }
  metrics::ObserverResult& result_;
};

nostd::shared_ptr<metrics::ObservableInstrument> create(metrics::Meter& meter, const MetricDescription& metric) {
  const bool whole = metric.whole_numbers;
  switch (metric.kind) {
    case MetricKind::counter:
      return whole ? meter.CreateInt64ObservableCounter(metric.name, metric.description, metric.unit)
                   : meter.CreateDoubleObservableCounter(metric.name, metric.description, metric.unit);
    case MetricKind::up_down_counter:
      return whole ? meter.CreateInt64ObservableUpDownCounter(metric.name, metric.description, metric.unit)
                   : meter.CreateDoubleObservableUpDownCounter(metric.name, metric.description, metric.unit);
    case MetricKind::gauge:
      break;
  }
  return whole ? meter.CreateInt64ObservableGauge(metric.name, metric.description, metric.unit)
               : meter.CreateDoubleObservableGauge(metric.name, metric.description, metric.unit);
}

}  // namespace

HostMetrics::HostMetrics(metrics::Meter& meter, bool host, bool processes) {
  if (host) add(meter, host_metric_table());
  if (processes) add(meter, process_metric_table());
}

HostMetrics::~HostMetrics() {
  for (const auto& one : instruments_) one->instrument->RemoveCallback(&HostMetrics::collect, one.get());
}

void HostMetrics::add(metrics::Meter& meter, std::span<const MetricDescription> descriptions) {
  for (const MetricDescription& metric : descriptions) {
    instruments_.push_back(std::make_unique<Instrument>(Instrument{this, &metric, create(meter, metric)}));
    instruments_.back()->instrument->AddCallback(&HostMetrics::collect, instruments_.back().get());
  }
}

void HostMetrics::publish(HostSnapshot snapshot) {
  auto fresh = std::make_shared<const HostSnapshot>(std::move(snapshot));
  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(fresh);
}

void HostMetrics::collect(metrics::ObserverResult result, void* state) {
  const auto* instrument = static_cast<const Instrument*>(state);
  std::shared_ptr<const HostSnapshot> snapshot;
  {
    const std::lock_guard lock(instrument->owner->mutex_);
    snapshot = instrument->owner->snapshot_;
  }
  if (!snapshot) return;
  ResultObserver observer(result);
  instrument->metric->observe(*snapshot, observer);
}

}  // namespace arca::cli::agent
