// The way to the Collector as the settings describe it: a transport for each signal, behind one sink. Used by the
// pipeline of a process and by `arca recover`.
#pragma once

#include <memory>

#include "arca/config.hpp"
#include "arca/result.hpp"
#include "os/clock.hpp"
#include "sinks/collector_sink.hpp"

namespace arca::telemetry {

// `clock` must outlive the sink. Errors name the signal and what is wrong with its endpoint.
Result<std::unique_ptr<sinks::CollectorSink>> make_collector(const Settings& settings, os::Clock& clock);

}  // namespace arca::telemetry
