// The part of Runtime that has to do with the SDK's meter providers and with the process's global objects.
#include "arca/propagation.hpp"
#include "opentelemetry/context/propagation/global_propagator.h"
#include "opentelemetry/logs/noop.h"
#include "opentelemetry/logs/provider.h"
#include "opentelemetry/metrics/noop.h"
#include "opentelemetry/metrics/provider.h"
#include "opentelemetry/sdk/metrics/export/periodic_exporting_metric_reader.h"
#include "opentelemetry/trace/noop.h"
#include "opentelemetry/trace/provider.h"
#include "os/signals_blocked.hpp"
#include "telemetry/bounded_call.hpp"
#include "telemetry/metric_exporter.hpp"
#include "telemetry/runtime.hpp"
#include "telemetry/self_metrics.hpp"

namespace arca::telemetry {
namespace {

namespace propagation = opentelemetry::context::propagation;
namespace sdk_metrics = opentelemetry::sdk::metrics;
using std::chrono::milliseconds;

constexpr std::chrono::microseconds first_flush_slice = milliseconds(250);

std::chrono::microseconds time_left(os::Clock& clock, base::SteadyTime deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - clock.steady_now());
  return std::max(std::chrono::microseconds(1), left);
}

template <class T>
opentelemetry::nostd::shared_ptr<T> api_pointer(std::shared_ptr<T> pointer) {
  return opentelemetry::nostd::shared_ptr<T>(std::move(pointer));
}

}  // namespace

std::shared_ptr<Runtime::MeterProvider> Runtime::make_meter_provider(
    milliseconds interval, milliseconds timeout, std::shared_ptr<const CollectionListener> collections) {
  auto exporter = std::make_unique<MetricExporter>(core_->recorder, &core_->resource, config_->temporality,
                                                   [present = std::weak_ptr(pipeline_)] {
                                                     if (const auto it = present.lock()) it->seal();
                                                   });
  sdk_metrics::PeriodicExportingMetricReaderOptions options;
  options.export_interval_millis = interval;
  options.export_timeout_millis = timeout;
  auto provider = std::make_shared<MeterProvider>();
  const os::AllSignalsBlocked blocked;  // the reader starts a thread
  auto reader = std::make_unique<sdk_metrics::PeriodicExportingMetricReader>(std::move(exporter), options);
  provider->AddMetricReader(std::make_shared<TimedReader>(std::move(reader), std::move(collections), clock_));
  return provider;
}

void Runtime::begin_metrics() {
  if (!config_->metrics.enabled) return;
  const auto collections = std::make_shared<CollectionListener>();
  auto meters = make_meter_provider(config_->metric_interval, config_->metric_timeout, collections);
  std::shared_ptr<MeterProvider> self_meters;
  std::shared_ptr<void> self_metrics;
  std::shared_ptr<void> self_durations;
  if (config_->self_metrics) {
    const auto interval = config_->self_metric_interval;
    self_meters =
        make_meter_provider(interval, std::max(milliseconds(1), interval / 2), std::make_shared<CollectionListener>());
    self_metrics = observe_self(*self_meters, {pipeline_, collections}, *config_);
    self_durations = observe_durations(*self_meters, {pipeline_, collections}, *config_);
  }
  const std::lock_guard lock(mutex_);
  meters_ = std::move(meters);
  self_meters_ = std::move(self_meters);
  self_metrics_ = std::move(self_metrics);
  self_durations_ = std::move(self_durations);
}

opentelemetry::nostd::shared_ptr<opentelemetry::metrics::MeterProvider> Runtime::meter_provider() const {
  const std::lock_guard lock(mutex_);
  return MeterHandle(std::shared_ptr<opentelemetry::metrics::MeterProvider>(meters_));
}

bool Runtime::flush_metrics(base::SteadyTime deadline) {
  std::shared_ptr<MeterProvider> meters;
  {
    const std::lock_guard lock(mutex_);
    if (is_inherited() || meters_ == nullptr) return true;
    meters = meters_;
  }
  auto flushed = std::make_shared<std::atomic<bool>>(false);
  const auto time = time_left(clock_, deadline);
  // The SDK wakes its reader once for each call, and one that is just about to sleep does not hear it: so it is called
  // again, after longer and longer times.
  const auto flush = [meters, flushed, time] {
    auto left = time;
    for (auto slice = first_flush_slice; left.count() > 0 && !*flushed; slice *= 2) {
      const auto patience = std::min(left, slice);
      *flushed = meters->ForceFlush(patience);
      left -= patience;
    }
  };
  call_until(flush, deadline);
  return *flushed;
}

void Runtime::shutdown_metrics(base::SteadyTime deadline) {
  std::shared_ptr<MeterProvider> providers[2];
  std::shared_ptr<void> observed;
  std::shared_ptr<void> measured;
  {
    const std::lock_guard lock(mutex_);
    if (is_inherited()) return;
    providers[0] = std::move(meters_);
    providers[1] = std::move(self_meters_);
    observed = std::move(self_metrics_);
    measured = std::move(self_durations_);
  }
  measured.reset();  // deliveries go on, and the SDK's histograms end with their provider
  for (auto& provider : providers) {
    if (provider == nullptr) continue;
    const auto time = time_left(clock_, deadline);
    // The last owner may be the application: then only the reader stops here. Else the destructor shuts down, once.
    call_until(
        [provider = std::move(provider), observed, time]() mutable {
          if (provider.use_count() > 1) provider->Shutdown(time);
          observed.reset();
          provider.reset();
        },
        deadline);
  }
}

void Runtime::install() const {
  namespace trace = opentelemetry::trace;
  namespace logs = opentelemetry::logs;
  namespace metrics = opentelemetry::metrics;
  if (tracer_provider) trace::Provider::SetTracerProvider(tracer_provider);
  if (logger_provider) logs::Provider::SetLoggerProvider(logger_provider);
  if (meters_) metrics::Provider::SetMeterProvider(meter_provider());
  propagation::GlobalTextMapPropagator::SetGlobalPropagator(
      api_pointer(std::shared_ptr<propagation::TextMapPropagator>(make_propagator(config_->propagators))));
}

// Only what is still ours: the application may have installed something else meanwhile.
void Runtime::uninstall() const {
  namespace trace = opentelemetry::trace;
  namespace logs = opentelemetry::logs;
  namespace metrics = opentelemetry::metrics;
  if (!config_->install_global) return;
  if (tracer_provider && trace::Provider::GetTracerProvider().get() == tracer_provider.get()) {
    trace::Provider::SetTracerProvider(
        api_pointer(std::shared_ptr<trace::TracerProvider>(new trace::NoopTracerProvider)));
  }
  if (logger_provider && logs::Provider::GetLoggerProvider().get() == logger_provider.get()) {
    logs::Provider::SetLoggerProvider(api_pointer(std::shared_ptr<logs::LoggerProvider>(new logs::NoopLoggerProvider)));
  }
  const auto meters = meter_provider();
  if (meters && metrics::Provider::GetMeterProvider().get() == meters.get()) {
    metrics::Provider::SetMeterProvider(
        api_pointer(std::shared_ptr<metrics::MeterProvider>(new metrics::NoopMeterProvider)));
  }
}

}  // namespace arca::telemetry
