// Self-observability: the otel.sdk.* metrics of the semantic conventions and our own arca.* ones, read from counters
// that exist anyway. They go through a meter provider of their own, so that observing causes nothing to observe.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "arca/config.hpp"
#include "opentelemetry/sdk/metrics/meter_provider.h"
#include "telemetry/pipeline.hpp"
#include "telemetry/timed_reader.hpp"

namespace arca::telemetry {

struct SelfSources {
  std::shared_ptr<Pipeline> pipeline;
  std::shared_ptr<CollectionListener> collections;  // of the application's metric reader
};

// Registers the instruments; they stay as long as the returned object. A pipeline that has gone reports nothing.
std::shared_ptr<void> observe_self(opentelemetry::sdk::metrics::MeterProvider& provider, const SelfSources& sources,
                                   const Settings& settings);

using SelfAttributes = std::vector<std::pair<std::string, std::string>>;

// What every metric of a component carries.
SelfAttributes component(const std::string& type, SelfAttributes more = {});
// As the semantic conventions name the exporter of a signal.
std::string exporter_type(const Settings& settings, model::Signal signal);

// The two histograms, of deliveries and of collections. What is returned must go before the provider.
std::shared_ptr<void> observe_durations(opentelemetry::sdk::metrics::MeterProvider& provider,
                                        const SelfSources& sources, const Settings& settings);

}  // namespace arca::telemetry
