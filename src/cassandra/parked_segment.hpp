// ParkedSegment: one segment of Cassandra on its way to the Collector, as ParkedSource keeps account of it: which of
// its chunks are read, claimed and settled, where its gaps are, and how far it is replayed without one.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "cassandra/store.hpp"
#include "model/chunk_source.hpp"

namespace arca::cassandra {

// Oldest first. A writer's later segments bear later times, also when its clock is set back.
struct SegmentOrder {
  base::WallTime opened_at{};
  base::WallTime bucket{};  // that of opened_at, but for a segment that was written anew
  Uuid id;
  auto operator<=>(const SegmentOrder&) const = default;
};

// A chunk that was read and is not settled.
struct ParkedSlot {
  enum class State : std::uint8_t { ready, claimed, quarantining } state = State::ready;
  StoredChunk stored;  // without payload: dropped for want of room, read again when it can be claimed
  base::SteadyTime not_before = base::SteadyTime::min();
  std::uint32_t attempt_count = 0;

  [[nodiscard]] bool has_payload() const noexcept { return stored.payload != nullptr; }
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    return has_payload() ? stored.payload->size() + stored.raw_size : 0;
  }
};

// Not thread-safe: protected by the source's mutex.
struct ParkedSegment {
  enum class Phase : std::uint8_t {
    waiting,    // known from the directory
    opening,    // its directory row is being read again
    replaying,  // chunks are read and given
    replayed,   // nothing left to give; its rows for look-up may be incomplete
  };

  explicit ParkedSegment(SegmentEntry found) : entry(std::move(found)) {}

  [[nodiscard]] SegmentOrder order() const {
    return {entry.head.opened_at, entry.head.name.bucket, entry.head.name.id};
  }
  [[nodiscard]] std::int16_t shard() const noexcept { return entry.head.name.shard; }
  [[nodiscard]] bool is_undone() const noexcept {
    return entry.head.purpose == Purpose::overflow && phase != Phase::replayed;
  }
  // Whether nothing is added any more that its writer counts (see store.hpp).
  [[nodiscard]] bool is_whole(base::SteadyTime now, base::Duration wait) const noexcept {
    return entry.sealed_at || (unsealed_since && now - *unsealed_since >= wait);
  }
  // Whether a pass has ended that saw everything that its writer counts.
  [[nodiscard]] bool is_seen() const noexcept {
    return is_last_pass && is_at_end && (knew_its_seal || !entry.sealed_at);
  }
  // Whether metric chunks may lie in it that were not read yet.
  [[nodiscard]] bool may_hide_metrics() const noexcept {
    if (!is_undone() || is_seen()) return false;
    return !entry.sealed_at || entry.summary.item_count[model::index_of(model::Signal::metrics)] > 0;
  }
  [[nodiscard]] bool is_finished() const noexcept { return is_seen() && slots.empty(); }
  // What is left of it, as far as known.
  [[nodiscard]] model::Backlog backlog() const;

  // Begins with what the directory says.
  void begin(std::uint64_t new_generation);
  // Reads on from the first position that is neither settled nor read. With a seal that was not known before, the gaps
  // that it counts are looked at again.
  void start_pass(bool is_last);
  // Nothing was found at the cursor or behind it.
  void end_pass();
  // The chunk there needs no more care; Requires: it has a slot.
  void settle(std::int32_t at, std::uint32_t quarantined_items);
  // The chunk there has gone before it was delivered: a gap, if no later pass finds it. Requires: it has a slot.
  void lose(std::int32_t at);
  // Moves `position` on as far as everything before it is settled, or in the last pass known to be missing.
  void advance();
  // How far it is replayed.
  [[nodiscard]] ParkingStore::Progress progress() const;
  // Forgets what was read, but not what was settled: chunks that are claimed stay.
  void evict();
  void look_back();

  SegmentEntry entry;  // without its services
  Phase phase = Phase::waiting;
  std::optional<base::SteadyTime> unsealed_since;  // first seen so
  std::uint64_t seen_in_scan = 0;
  std::int32_t rows_seen = -1;  // rows_position, and when it last moved
  base::SteadyTime rows_moved_at{};
  bool rows_are_handed_over = false;

  // --- while it is replayed ---
  std::uint64_t generation = 0;  // of this replay: an answer to a read of an earlier one is dropped
  std::map<std::int32_t, ParkedSlot> slots;
  struct Settled {
    model::Signal signal = model::Signal::traces;
    std::uint32_t item_count = 0;
    std::uint32_t quarantined_items = 0;
  };
  std::map<std::int32_t, Settled> settled;  // at `position` and behind it
  std::int32_t position = 0;                // everything before it is settled, or a gap
  std::int32_t written_position = 0;
  ItemCounts replayed_items{};  // before `position`, like the next two
  ItemCounts quarantined_items{};
  Gaps gaps;
  std::int32_t cursor = 0;  // read next
  bool is_at_end = false;
  bool is_last_pass = false;   // it began when the segment was whole: what it does not find is not there
  bool knew_its_seal = false;  // when this pass began
  bool is_reading = false;
  bool is_marking = false;
  bool is_rescued = false;  // being written anew: nothing is claimed
  base::SteadyTime pass_begun_at{};
  base::SteadyTime marked_at = base::SteadyTime::min();
  base::SteadyTime again_at = base::SteadyTime::min();  // after a failure
  std::uint32_t failure_count = 0;
};

}  // namespace arca::cassandra
