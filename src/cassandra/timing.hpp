// Timing: what writers of segments and those who recover them have to agree on, though they share no clock (see
// store.hpp). Everybody goes by one set of values: a recoverer that waits for less than a writer counts on would
// take a segment for whole too early, so this is no matter of configuration. Used by CassandraTier.
#pragma once

#include <chrono>

#include "base/check.hpp"
#include "cassandra/store.hpp"

namespace arca::cassandra {

struct Timing {
  base::Duration lifetime = segment_lifetime;
  base::Duration margin = segment_margin;
  std::chrono::seconds lease_ttl{30};
  base::Duration rows_still_time = std::chrono::minutes(1);  // rows that have not moved for so long have no writer
};

namespace detail {
inline Timing process_timing;
}

inline const Timing& timing() noexcept { return detail::process_timing; }

// For tests, whose dead writers and frozen recoverers are not waited for that long: in every process that works on the
// same tables, before the first tier starts. Nothing but a program that links the floors can call it.
inline void set_timing(const Timing& all_processes) {
  ARCA_CHECK(all_processes.lifetime > base::Duration::zero() && all_processes.margin > base::Duration::zero());
  ARCA_CHECK(all_processes.lease_ttl >= std::chrono::seconds(1));
  detail::process_timing = all_processes;
}

}  // namespace arca::cassandra
