#include "cassandra/segment_account.hpp"

#include <algorithm>

namespace arca::cassandra {
namespace {

// Calls `visit` with each position that was not found and is counted, in their order, until it returns false.
template <class Visit>
void visit_missing(const SegmentEntry& entry, Visit visit) {
  if (!entry.sealed_at) return;
  const SegmentSummary& summary = entry.summary;
  auto uncounted = summary.uncounted.begin();
  const auto visit_range = [&](std::int32_t first, std::int32_t end) {
    for (std::int32_t at = first; at < std::min(end, summary.chunk_count); ++at) {
      while (uncounted != summary.uncounted.end() && uncounted->position < at) ++uncounted;
      const bool counts = uncounted == summary.uncounted.end() || uncounted->position != at;
      if (counts && !visit(at)) return false;
    }
    return true;
  };
  for (const Gaps::Range& gap : entry.gaps.ranges()) {
    if (!visit_range(gap.first, gap.last + 1)) return;
  }
  visit_range(entry.replay_position, summary.chunk_count);
}

}  // namespace

std::optional<std::int32_t> first_missing(const SegmentEntry& entry) {
  std::optional<std::int32_t> first;
  visit_missing(entry, [&](std::int32_t at) {
    first = at;
    return false;
  });
  return first;
}

std::uint64_t missing_chunk_count(const SegmentEntry& entry) {
  std::uint64_t count = 0;
  visit_missing(entry, [&](std::int32_t) {
    ++count;
    return true;
  });
  return count;
}

bool does_not_count(const SegmentEntry& entry, std::int32_t position) {
  const auto& uncounted = entry.summary.uncounted;
  const auto found = std::lower_bound(uncounted.begin(), uncounted.end(), position,
                                      [](const UncountedChunk& chunk, std::int32_t at) { return chunk.position < at; });
  return found != uncounted.end() && found->position == position;
}

bool is_over(const SegmentEntry& entry) {
  return entry.replayed_at && (entry.missing || entry.moved_to || !first_missing(entry));
}

ItemCounts found_items(const SegmentEntry& entry, const std::vector<UncountedChunk>& uncounted) {
  ItemCounts found = entry.replayed_items;
  for (const UncountedChunk& chunk : uncounted) {
    if (chunk.position >= entry.replay_position || entry.gaps.contains(chunk.position)) continue;
    std::uint64_t& items = found[model::index_of(chunk.signal)];
    items -= std::min<std::uint64_t>(items, chunk.item_count);
  }
  return found;
}

std::uint64_t missing_item_count(const SegmentEntry& entry) {
  const ItemCounts found = found_items(entry, entry.summary.uncounted);
  std::uint64_t missing = 0;
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    missing += entry.summary.item_count[i] - std::min(entry.summary.item_count[i], found[i]);
  }
  return missing;
}

}  // namespace arca::cassandra
