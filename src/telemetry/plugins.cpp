// The plug-ins for the stock SDK: recordables that encode at once, and processors that hand them to the recorder.
#include "arca/plugins.hpp"

#include <deque>
#include <mutex>
#include <string>

#include "opentelemetry/sdk/instrumentationscope/instrumentation_scope.h"
#include "opentelemetry/sdk/logs/processor.h"
#include "opentelemetry/sdk/logs/recordable.h"
#include "opentelemetry/sdk/resource/resource.h"
#include "opentelemetry/sdk/trace/processor.h"
#include "opentelemetry/sdk/trace/recordable.h"
#include "telemetry/metric_exporter.hpp"
#include "telemetry/plugin_contexts.hpp"
#include "telemetry/plugin_recordables.hpp"
#include "telemetry/runtime.hpp"
#include "telemetry/sdk_time.hpp"

namespace arca {
namespace telemetry {
namespace {

namespace sdk = opentelemetry::sdk;
using std::chrono::microseconds;

// Flushes while the telemetry that made the plug-in lives. Shared by all plug-ins of one kind.
class Flush {
 public:
  explicit Flush(Runtime& runtime) : pipeline_(runtime.pipeline()) {}

  bool operator()(microseconds timeout) const noexcept {
    const auto pipeline = pipeline_.lock();
    if (pipeline == nullptr || pipeline->is_inherited()) return true;
    try {
      const auto deadline = std::chrono::steady_clock::now() + bounded(timeout);
      return pipeline->flush(deadline).outcome == FlushOutcome::delivered;
    } catch (const std::exception&) {
      return false;
    }
  }

 private:
  std::weak_ptr<Pipeline> pipeline_;
};

class SpanProcessor final : public sdk::trace::SpanProcessor {
 public:
  explicit SpanProcessor(Runtime& runtime)
      : core_(runtime.core()), contexts_(PluginContexts::make()), flush_(runtime) {}

  std::unique_ptr<sdk::trace::Recordable> MakeRecordable() noexcept override {
    return std::make_unique<SpanRecordable>(core_, contexts_);
  }
  void OnStart(sdk::trace::Recordable& span, const opentelemetry::trace::SpanContext& parent) noexcept override {
    static_cast<SpanRecordable&>(span).set_parent(parent);
  }
  void OnEnd(std::unique_ptr<sdk::trace::Recordable>&& span) noexcept override {
    const std::unique_ptr<sdk::trace::Recordable> ended = std::move(span);
    if (ended != nullptr) static_cast<SpanRecordable&>(*ended).record();
  }
  bool ForceFlush(microseconds timeout) noexcept override { return flush_(timeout); }
  bool Shutdown(microseconds timeout) noexcept override { return flush_(timeout); }

 private:
  Core* const core_;
  PluginContexts& contexts_;
  const Flush flush_;
};

class LogRecordProcessor final : public sdk::logs::LogRecordProcessor {
 public:
  explicit LogRecordProcessor(Runtime& runtime)
      : core_(runtime.core()), contexts_(PluginContexts::make()), flush_(runtime) {}

  std::unique_ptr<sdk::logs::Recordable> MakeRecordable() noexcept override {
    return std::make_unique<LogRecordable>(core_, contexts_);
  }
  void OnEmit(std::unique_ptr<sdk::logs::Recordable>&& record) noexcept override {
    const std::unique_ptr<sdk::logs::Recordable> emitted = std::move(record);
    if (emitted != nullptr) static_cast<LogRecordable&>(*emitted).record();
  }
#if ARCA_API_AT_LEAST(28)
  bool RecordableEnforcesLogRecordLimits() const noexcept override { return true; }
#endif
  bool ForceFlush(microseconds timeout) noexcept override { return flush_(timeout); }
  bool Shutdown(microseconds timeout) noexcept override { return flush_(timeout); }

 private:
  Core* const core_;
  PluginContexts& contexts_;
  const Flush flush_;
};

// Where telemetry is disabled: takes nothing.
class NoMetricExporter final : public sdk::metrics::PushMetricExporter {
 public:
  sdk::common::ExportResult Export(const sdk::metrics::ResourceMetrics&) noexcept override {
    return sdk::common::ExportResult::kSuccess;
  }
  sdk::metrics::AggregationTemporality GetAggregationTemporality(sdk::metrics::InstrumentType) const noexcept override {
    return sdk::metrics::AggregationTemporality::kCumulative;
  }
  bool ForceFlush(microseconds) noexcept override { return true; }
  bool Shutdown(microseconds) noexcept override { return true; }
};

}  // namespace
}  // namespace telemetry

std::unique_ptr<opentelemetry::sdk::trace::SpanProcessor> make_span_processor(Telemetry& telemetry) {
  return std::make_unique<telemetry::SpanProcessor>(telemetry.runtime());
}

std::unique_ptr<opentelemetry::sdk::logs::LogRecordProcessor> make_log_record_processor(Telemetry& telemetry) {
  return std::make_unique<telemetry::LogRecordProcessor>(telemetry.runtime());
}

std::unique_ptr<opentelemetry::sdk::metrics::PushMetricExporter> make_metric_exporter(Telemetry& telemetry) {
  telemetry::Runtime& runtime = telemetry.runtime();
  if (runtime.core() == nullptr) return std::make_unique<telemetry::NoMetricExporter>();
  return std::make_unique<telemetry::MetricExporter>(runtime.core()->recorder, nullptr, runtime.config()->temporality,
                                                     [pipeline = std::weak_ptr(runtime.pipeline())] {
                                                       const auto present = pipeline.lock();
                                                       if (present && !present->is_inherited()) present->seal();
                                                     });
}

}  // namespace arca
