// MetricExporter: takes what the SDK has aggregated and hands it to the recorder, record by record, in order. Used by
// our own meter providers and, as a plug-in, by those of applications.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "arca/config.hpp"
#include "opentelemetry/sdk/metrics/export/metric_producer.h"
#include "opentelemetry/sdk/metrics/push_metric_exporter.h"
#include "otlp/metric_writer.hpp"
#include "telemetry/recorder.hpp"

namespace arca::telemetry {

// Thread-safe, though the SDK calls it from one thread at a time.
class MetricExporter final : public opentelemetry::sdk::metrics::PushMetricExporter {
 public:
  // `resource` null: the resource of the exported data is used. `seal` makes what was handed over leave before what
  // comes later, even from another thread.
  MetricExporter(Recorder& recorder, const ResourceSlot* resource, Temporality temporality, std::function<void()> seal);

  opentelemetry::sdk::common::ExportResult Export(
      const opentelemetry::sdk::metrics::ResourceMetrics& data) noexcept override;
  [[nodiscard]] opentelemetry::sdk::metrics::AggregationTemporality GetAggregationTemporality(
      opentelemetry::sdk::metrics::InstrumentType instrument_type) const noexcept override;
  bool ForceFlush(std::chrono::microseconds timeout) noexcept override;
  bool Shutdown(std::chrono::microseconds timeout) noexcept override;

 private:
  bool export_all(const opentelemetry::sdk::metrics::ResourceMetrics& data);
  ScopeContext& context_of(const opentelemetry::sdk::metrics::ResourceMetrics& data,
                           const opentelemetry::sdk::metrics::ScopeMetrics& scope);

  Recorder& recorder_;
  const ResourceSlot* const resource_;
  const Temporality temporality_;
  const std::function<void()> seal_;
  std::mutex mutex_;
  bool shut_down_ = false;  // these protected by mutex_
  otlp::MetricWriter writer_;
  std::unique_ptr<ResourceSlot> own_resource_;
  std::map<std::string, std::unique_ptr<ScopeContext>> contexts_;  // by the scope's bytes
};

}  // namespace arca::telemetry
