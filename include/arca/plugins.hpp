// The second front door, for those who keep the stock SDK: processors and an exporter for its providers that hand over to
// the same pool, journal and Collector as Arca's own providers. Start Telemetry with install_global off, then add them:
//
//   auto provider = opentelemetry::sdk::trace::TracerProviderFactory::Create(arca::make_span_processor(*telemetry));
#pragma once

#include <memory>

#include "arca/export.hpp"
#include "arca/telemetry.hpp"
#include "opentelemetry/sdk/logs/processor.h"
#include "opentelemetry/sdk/metrics/push_metric_exporter.h"
#include "opentelemetry/sdk/trace/processor.h"

namespace arca {

// Each encodes while the SDK sets values, keeps no pointer into the SDK's objects, and outlives `telemetry` harmlessly:
// it then records nothing. The resource is that of the SDK's provider. ForceFlush tells the truth, Shutdown flushes.
ARCA_EXPORT std::unique_ptr<opentelemetry::sdk::trace::SpanProcessor> make_span_processor(Telemetry& telemetry);
ARCA_EXPORT std::unique_ptr<opentelemetry::sdk::logs::LogRecordProcessor> make_log_record_processor(Telemetry& telemetry);
ARCA_EXPORT std::unique_ptr<opentelemetry::sdk::metrics::PushMetricExporter> make_metric_exporter(Telemetry& telemetry);

}  // namespace arca
