// What can be said of a chunk without walking it: whether it is too old, and whether the ids that are looked for occur
// in its bytes at all. Used by the places.
#pragma once

#include "cli/query/telemetry_place.hpp"

namespace arca::cli::query {

// Whether everything in a chunk that was sealed then ended before the time that is looked for. Clocks are set now and
// then, so there is a margin.
bool is_before(const Wanted& wanted, base::WallTime sealed_at) noexcept;

// Whether one of the wanted traces occurs in the bytes, as bytes; true if none is wanted in particular.
bool may_hold(const Wanted& wanted, base::Bytes bytes) noexcept;

}  // namespace arca::cli::query
