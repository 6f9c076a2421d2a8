// From the SDK's aggregated points to the structs of the metric writer. The only place that looks at point types.
#pragma once

#include "opentelemetry/sdk/metrics/data/metric_data.h"
#include "otlp/metric_writer.hpp"

namespace arca::telemetry {

// Writes one metric; points that carry nothing (dropped, or never set) are left out.
Result<void> write_metric(otlp::MetricWriter& writer, const opentelemetry::sdk::metrics::MetricData& metric,
                          const otlp::MetricRecordSink& sink);

}  // namespace arca::telemetry
