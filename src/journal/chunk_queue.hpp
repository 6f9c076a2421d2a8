// ChunkQueue: the unsettled chunks of one signal in the order in which they were appended: where they lie, who may
// be claimed, what was given back until when. About 80 bytes per chunk; payloads stay on disk. Used by
// Journal, one queue per signal.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "model/chunk.hpp"

namespace arca::journal {

// Where a chunk's record lies.
struct ChunkPlace {
  std::uint64_t segment = 0;
  std::uint32_t offset_in_words = 0;  // of 8 bytes
  std::uint32_t payload_size = 0;

  [[nodiscard]] std::uint64_t offset() const noexcept { return std::uint64_t{offset_in_words} * 8; }
};

enum class ChunkState : std::uint8_t { fresh, claimed, released, settled };

struct ChunkEntry {
  model::ChunkId id;
  ChunkPlace place;
  base::WallTime sealed_at;
  std::uint64_t order = 0;  // rises over all signals
  std::uint32_t item_count = 0;
  std::uint16_t attempt_count = 0;
  ChunkState state = ChunkState::fresh;
  std::uint8_t read_failure_count = 0;  // in a row
};
static_assert(sizeof(ChunkEntry) <= 64);

// Not thread-safe. A pointer to an entry is good until the next call of push or settle.
class ChunkQueue {
 public:
  // With `strictly_in_order` nothing is claimable while an earlier chunk is unsettled.
  explicit ChunkQueue(bool strictly_in_order) : strictly_in_order_(strictly_in_order) {}

  void push(const ChunkEntry& entry);  // Requires: the id is not here
  [[nodiscard]] ChunkEntry* find(const model::ChunkId& id) noexcept;
  // The oldest chunk that may be claimed now; null if there is none.
  [[nodiscard]] ChunkEntry* claimable(base::SteadyTime now) noexcept;
  // Before claim(): takes the memory that release() will need, so that no claimed chunk is ever stuck for want of it.
  void prepare_claim() { released_.reserve(released_.size() + claimed_count_ + 1); }
  void claim(ChunkEntry& entry) noexcept;
  void release(ChunkEntry& entry, base::SteadyTime not_before);
  void forget_release_times() noexcept;
  void settle(ChunkEntry& entry);
  // When claimable() finds something without any other call; base::never if only an event can help.
  [[nodiscard]] base::SteadyTime next_claim_at(base::SteadyTime now) noexcept;

  [[nodiscard]] std::uint64_t size() const noexcept { return live_count_; }
  [[nodiscard]] std::uint64_t payload_bytes() const noexcept { return payload_bytes_; }
  [[nodiscard]] std::uint64_t item_count() const noexcept { return item_count_; }
  // The oldest unsettled chunk; null if there is none.
  [[nodiscard]] const ChunkEntry* front() const noexcept;

 private:
  struct Release {
    std::uint64_t position;
    base::SteadyTime not_before;
  };

  [[nodiscard]] ChunkEntry& at(std::uint64_t position) noexcept {
    return entries_[static_cast<std::size_t>(position - base_)];
  }
  [[nodiscard]] std::uint64_t position_of(const ChunkEntry& entry) noexcept;
  void forget_release(std::uint64_t position) noexcept;
  void drop_settled() noexcept;
  void pack();
  void rebuild_table(std::size_t capacity);
  [[nodiscard]] std::size_t slot_of(const model::ChunkId& id) const noexcept;
  void insert_slot(std::uint64_t position) noexcept;
  void erase_slot(const model::ChunkId& id) noexcept;
  [[nodiscard]] std::uint64_t position_in(std::size_t slot) const noexcept;

  bool strictly_in_order_;
  std::deque<ChunkEntry> entries_;    // settled ones stay until they reach the front or are too many
  std::uint64_t base_ = 0;            // position of entries_.front()
  std::uint64_t fresh_ = 0;           // no fresh chunk stands before this position
  std::vector<Release> released_;     // by position; as many as deliveries that failed lately
  std::vector<std::uint32_t> table_;  // open addressing: id -> low half of the position
  std::size_t claimed_count_ = 0;
  std::uint64_t live_count_ = 0;
  std::uint64_t payload_bytes_ = 0;
  std::uint64_t item_count_ = 0;
};

}  // namespace arca::journal
