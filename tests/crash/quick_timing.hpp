// How long the writers and recoverers of the crash tests of Cassandra wait for one another: as in production, but
// shorter, and the same for all of them, which the safety of recovery rests on.
#pragma once

#include "cassandra/timing.hpp"

namespace arca::crash {

inline cassandra::Timing quick_timing() {
  cassandra::Timing quick;
  quick.lifetime = std::chrono::seconds(4);
  quick.margin = std::chrono::seconds(1);
  quick.lease_ttl = std::chrono::seconds(3);
  quick.rows_still_time = std::chrono::seconds(1);
  return quick;
}

}  // namespace arca::crash
