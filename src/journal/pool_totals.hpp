// How the counters of the law change in the mapping so that a crash at any instruction leaves them exact: every
// change writes the other of two blocks and flips an index. Used by Pool.
#pragma once

#include "journal/pool_layout.hpp"
#include "model/totals.hpp"

namespace arca::journal {

// Not thread-safe: Pool calls it under its draining lock.
class PoolTotals {
 public:
  explicit PoolTotals(layout::Header& header) noexcept : header_(header) {}

  [[nodiscard]] const layout::TotalsBlock& current() const noexcept { return header_.totals[index()]; }

  // Counts a range that has a verdict, once.
  void fold(const layout::Range& range, model::Signal signal, std::uint32_t chunk, std::uint32_t slot) noexcept {
    if (is_folded(range, chunk, slot)) return;
    layout::TotalsBlock block = current();
    model::SignalTotals& totals = block.totals[model::index_of(signal)];
    const std::uint64_t items = range.item_end - range.item_begin;
    const std::uint64_t damaged = std::min<std::uint64_t>(range.damaged, items);
    const std::uint64_t refused = std::min<std::uint64_t>(range.refused, items - damaged);
    totals.lost += damaged;
    counter(totals, range.state.load(std::memory_order_relaxed)) += items - damaged - refused;
    totals.quarantined += refused;
    block.folded_sequence = range.sequence;
    block.folded_chunk = chunk;
    block.folded_range = slot;
    flip_to(block);
  }
  [[nodiscard]] bool is_folded(const layout::Range& range, std::uint32_t chunk, std::uint32_t slot) const noexcept {
    const layout::TotalsBlock& block = current();
    return block.folded_sequence == range.sequence && block.folded_chunk == chunk && block.folded_range == slot;
  }

  // Counts the records of a chunk as accepted when it is about to be used again, once.
  void recycle(const layout::ChunkEntry& entry, std::uint32_t chunk) noexcept {
    if (is_recycled(entry, chunk)) return;
    layout::TotalsBlock block = current();
    const auto committed = layout::Committed::unpack(entry.committed.load(std::memory_order_relaxed));
    block.totals[entry.signal].accepted += committed.items;
    block.recycled_chunk = chunk;
    block.recycled_generation = entry.generation;
    flip_to(block);
  }
  [[nodiscard]] bool is_recycled(const layout::ChunkEntry& entry, std::uint32_t chunk) const noexcept {
    const layout::TotalsBlock& block = current();
    return entry.generation != 0 && block.recycled_generation == entry.generation && block.recycled_chunk == chunk;
  }

 private:
  [[nodiscard]] std::uint32_t index() const noexcept {
    return header_.totals_index.load(std::memory_order_acquire) & 1U;
  }
  static std::uint64_t& counter(model::SignalTotals& totals, layout::RangeState state) noexcept {
    switch (state) {
      case layout::RangeState::parked:
        return totals.parked;
      case layout::RangeState::journaled:
        return totals.journaled;
      case layout::RangeState::quarantined:
        return totals.quarantined;
      case layout::RangeState::lost:
        return totals.lost;
      default:
        return totals.delivered;
    }
  }
  void flip_to(const layout::TotalsBlock& block) noexcept {
    const std::uint32_t other = index() ^ 1U;
    header_.totals[other] = block;
    header_.totals_index.store(other, std::memory_order_release);
  }

  layout::Header& header_;
};

}  // namespace arca::journal
