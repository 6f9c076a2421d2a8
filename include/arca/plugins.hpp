// The second front door, for those who keep the stock SDK: processors and an exporter for its providers that hand over
// to the same pool, journal and Collector as Arca's own providers. Start Telemetry with install_global off, then add
// them:
//
//   auto provider = opentelemetry::sdk::trace::TracerProviderFactory::Create(arca::make_span_processor(*telemetry));
#pragma once

#include <memory>

#include "arca/export.hpp"
#include "arca/telemetry.hpp"
#include "opentelemetry/version.h"

// Only named here: who hands a plug-in to the SDK has included the SDK's own header.
OPENTELEMETRY_BEGIN_NAMESPACE
namespace sdk {
namespace trace {
class SpanProcessor;
}
namespace logs {
class LogRecordProcessor;
}
namespace metrics {
class PushMetricExporter;
}
}  // namespace sdk
OPENTELEMETRY_END_NAMESPACE

namespace arca {

// Each encodes while the SDK sets values, keeps no pointer into the SDK's objects, and outlives `telemetry` harmlessly:
// it then records nothing. The resource is that of the SDK's provider. ForceFlush tells the truth, Shutdown flushes.
ARCA_EXPORT std::unique_ptr<opentelemetry::sdk::trace::SpanProcessor> make_span_processor(Telemetry& telemetry);
ARCA_EXPORT std::unique_ptr<opentelemetry::sdk::logs::LogRecordProcessor> make_log_record_processor(
    Telemetry& telemetry);
ARCA_EXPORT std::unique_ptr<opentelemetry::sdk::metrics::PushMetricExporter> make_metric_exporter(Telemetry& telemetry);

}  // namespace arca
