// Self-observability: the otel.sdk.* metrics of the semantic conventions and our own arca.* ones, read from counters
// that exist anyway. They go through a meter provider of their own, so that observing causes nothing to observe.
#pragma once

#include <memory>

#include "arca/config.hpp"
#include "opentelemetry/sdk/metrics/meter_provider.h"
#include "telemetry/pipeline.hpp"

namespace arca::telemetry {

// Registers the instruments; they stay as long as the returned object. A pipeline that has gone reports nothing.
std::shared_ptr<void> observe_self(opentelemetry::sdk::metrics::MeterProvider& provider,
                                   const std::shared_ptr<Pipeline>& pipeline, const Settings& settings);

}  // namespace arca::telemetry
