// The locks of the OpenTelemetry API's global providers and propagator, held while the process forks. Applications ask
// for the global provider on every thread; were one of them just doing it, the child would wait for ever for somebody
// who does not exist there. Used by runtime.cpp.
#pragma once

namespace arca::telemetry {

// From the first call on, for as long as the process lives. Thread-safe.
void guard_api_locks();

}  // namespace arca::telemetry
