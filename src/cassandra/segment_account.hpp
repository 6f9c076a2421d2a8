// What a directory row says of a segment's chunks, put together from what its writer and its recoverers wrote into it:
// whether it is over, and what was found of that which its writer counts. Used by both sides, so that they agree.
#pragma once

#include <cstdint>
#include <optional>

#include "cassandra/store.hpp"

namespace arca::cassandra {

// The first position whose chunk the seal counts and nobody has found; nothing while it is not sealed.
std::optional<std::int32_t> first_missing(const SegmentEntry& entry);
// How many there are.
std::uint64_t missing_chunk_count(const SegmentEntry& entry);

// Whether the seal says that its writer does not count what lies there.
bool does_not_count(const SegmentEntry& entry, std::int32_t position);

// Whether nobody needs to read it any more. One that was ended before its seal could be known is not, if the seal
// counts more than was found then: its writer's clock stood still, as that of a virtual machine that is paused.
bool is_over(const SegmentEntry& entry);

// Items that were found, of chunks that the writer counts. `uncounted` is the writer's: he knows it before the seal
// does.
ItemCounts found_items(const SegmentEntry& entry, const std::vector<UncountedChunk>& uncounted);
// Of what the seal counts, what was not found. Requires: it is sealed.
std::uint64_t missing_item_count(const SegmentEntry& entry);

}  // namespace arca::cassandra
