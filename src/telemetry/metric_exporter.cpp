#include "telemetry/metric_exporter.hpp"

#include "opentelemetry/sdk/instrumentationscope/instrumentation_scope.h"
#include "opentelemetry/sdk/resource/resource.h"
#include "os/log.hpp"
#include "otlp/context_encoder.hpp"
#include "telemetry/metric_points.hpp"
#include "telemetry/owned_values.hpp"

namespace arca::telemetry {

namespace sdk = opentelemetry::sdk;
using sdk::metrics::AggregationTemporality;
using sdk::metrics::InstrumentType;

namespace {

std::vector<std::byte> encode_resource(const sdk::resource::Resource* resource) {
  if (resource == nullptr) return {};
  const OwnedAttributes attributes(resource->GetAttributes());
  auto bytes = otlp::encode_resource(attributes.get(), resource->GetSchemaURL());
  return bytes ? std::move(*bytes) : std::vector<std::byte>();
}

std::vector<std::byte> encode_scope(const sdk::instrumentationscope::InstrumentationScope* scope) {
  if (scope == nullptr) return {};
  const OwnedAttributes attributes(scope->GetAttributes());
  auto bytes = otlp::encode_scope({.name = scope->GetName(),
                                   .version = scope->GetVersion(),
                                   .schema_url = scope->GetSchemaURL(),
                                   .attributes = attributes.get()});
  return bytes ? std::move(*bytes) : std::vector<std::byte>();
}

}  // namespace

MetricExporter::MetricExporter(Recorder& recorder, const ResourceSlot* resource, Temporality temporality,
                               std::function<void()> seal)
    : recorder_(recorder), resource_(resource), temporality_(temporality), seal_(std::move(seal)) {}

sdk::common::ExportResult MetricExporter::Export(const sdk::metrics::ResourceMetrics& data) noexcept {
  const std::lock_guard lock(mutex_);
  if (shut_down_) return sdk::common::ExportResult::kFailure;
  try {
    const bool taken = export_all(data);
    // The SDK may collect on another thread next time, whose chunk could leave before this one's.
    if (seal_) seal_();
    return taken ? sdk::common::ExportResult::kSuccess : sdk::common::ExportResult::kFailure;
  } catch (const std::exception& error) {
    os::log(os::LogLevel::error, "metrics are not exported: {}", error.what());
    return sdk::common::ExportResult::kFailure;
  }
}

bool MetricExporter::export_all(const sdk::metrics::ResourceMetrics& data) {
  bool all_taken = true;
  for (const auto& scope : data.scope_metric_data_) {
    ScopeContext& context = context_of(data, scope);
    const auto record = [&](base::Bytes bytes, std::uint32_t point_count) {
      all_taken = recorder_.record(model::Signal::metrics, context, bytes, point_count) && all_taken;
    };
    for (const auto& metric : scope.metric_data_) {
      const auto written = write_metric(writer_, metric, record);
      if (written) continue;
      all_taken = false;
      os::log(os::LogLevel::error, "the metric {} is not exported: {}", metric.instrument_descriptor.name_,
              written.error().message());
    }
  }
  return all_taken;
}

ScopeContext& MetricExporter::context_of(const sdk::metrics::ResourceMetrics& data,
                                         const sdk::metrics::ScopeMetrics& scope) {
  if (resource_ == nullptr && own_resource_ == nullptr) {
    own_resource_ = std::make_unique<ResourceSlot>(encode_resource(data.resource_));
  }
  auto fields = encode_scope(scope.scope_);
  auto& context = contexts_[std::string(base::as_text(fields))];
  if (context == nullptr) {
    context = std::make_unique<ScopeContext>(resource_ != nullptr ? *resource_ : *own_resource_, std::move(fields));
  }
  return *context;
}

AggregationTemporality MetricExporter::GetAggregationTemporality(InstrumentType type) const noexcept {
  const bool adds = type == InstrumentType::kCounter || type == InstrumentType::kHistogram;
  if (temporality_ == Temporality::lowmemory && adds) return AggregationTemporality::kDelta;
  if (temporality_ == Temporality::delta && (adds || type == InstrumentType::kObservableCounter)) {
    return AggregationTemporality::kDelta;
  }
  return AggregationTemporality::kCumulative;
}

// Export has returned only when all was handed over, so there is nothing to flush here.
bool MetricExporter::ForceFlush(std::chrono::microseconds) noexcept { return true; }

bool MetricExporter::Shutdown(std::chrono::microseconds) noexcept {
  const std::lock_guard lock(mutex_);
  shut_down_ = true;
  return true;
}

}  // namespace arca::telemetry
