// What the directory says of a chunk's content: which services, from when to when. Read from the request's own bytes, a
// small part of what compressing it costs. Used by CassandraSink.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "model/signal.hpp"

namespace arca::cassandra {

inline constexpr std::string_view unknown_service = "unknown_service";  // as the semantic conventions name it

// The string attribute service.name of a Resource message; empty if it has none.
std::string_view service_of(base::Bytes resource) noexcept;

// Nanoseconds since 1970, as far as a WallTime reaches.
base::WallTime wall_time(std::uint64_t unix_nanos) noexcept;

struct RequestFacts {
  std::set<std::string, std::less<>> services;
  std::optional<base::WallTime> time_min;  // starts of spans, times of log records and of points
  std::optional<base::WallTime> time_max;  // of spans their starts too: cheap, and within a span of the truth
};
// What can be read of it: of a damaged request less, never an error.
RequestFacts facts_of(model::Signal signal, base::Bytes request);

}  // namespace arca::cassandra
