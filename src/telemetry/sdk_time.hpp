// The SDK's time limits as ours. Used by what the SDK calls: plug-ins and the exporter for Cassandra.
#pragma once

#include <algorithm>
#include <chrono>

namespace arca::telemetry {

// The SDK's "no limit" would overflow when a point in time is made of it.
inline std::chrono::milliseconds bounded(std::chrono::microseconds timeout) {
  constexpr std::chrono::microseconds longest = std::chrono::hours(1);
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::min(timeout, longest));
}

}  // namespace arca::telemetry
