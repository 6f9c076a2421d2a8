// Taking over the pool of a dead writer: every committed record that has no verdict becomes claimable again, under
// the id it had if it had one. Written so that dying in the middle and starting over changes nothing.
#include <algorithm>

#include "journal/pool_state.hpp"
#include "os/log.hpp"

namespace arca::journal {

using layout::ChunkState;
using layout::Committed;
using layout::RangeState;

void Pool::State::take_over() {
  const std::lock_guard guard(drain_mutex_);
  const EpochGuard epoch(mapping_->header(), epoch_depth_);
  load_contexts();
  // First the range that was counted last: the mark that says so is overwritten by the next one that is counted.
  for (std::uint32_t chunk = 0; chunk < chunk_count(); ++chunk) forget_folded(chunk);
  for (std::uint32_t chunk = 0; chunk < chunk_count(); ++chunk) adopt_chunk(chunk);
  // Metrics must leave in the order in which their chunks were opened.
  std::sort(full_chunks_.begin(), full_chunks_.end(), [this](std::uint32_t a, std::uint32_t b) {
    return mapping_->entry(a).open_order < mapping_->entry(b).open_order;
  });
  seal_full_chunks(true);
}

void Pool::State::forget_folded(std::uint32_t chunk) {
  layout::ChunkEntry& entry = mapping_->entry(chunk);
  if (entry.state.load(std::memory_order_acquire) == ChunkState::free) return;
  for (std::uint32_t slot = 0; slot < layout::ranges_per_chunk; ++slot) {
    layout::Range& range = entry.ranges[slot];
    if (!layout::is_verdict(range.state.load(std::memory_order_acquire))) continue;
    if (!totals_.is_folded(range, chunk, slot)) continue;
    range.state.store(RangeState::free, std::memory_order_release);
  }
}

void Pool::State::adopt_chunk(std::uint32_t chunk) {
  layout::ChunkEntry& entry = mapping_->entry(chunk);
  if (entry.state.load(std::memory_order_acquire) == ChunkState::free) return;
  if (totals_.is_recycled(entry, chunk)) {  // died just before it was free
    entry.committed.store(0, std::memory_order_relaxed);
    entry.state.store(ChunkState::free, std::memory_order_release);
    return;
  }
  const auto committed = Committed::unpack(entry.committed.load(std::memory_order_acquire));
  if (entry.signal >= model::signal_count || committed.bytes > mapping_->geometry().chunk_size(chunk)) {
    os::log(os::LogLevel::error,
            "pool {}: the entry of chunk {} is damaged; what it held ({} records by its count) is lost", options_.path,
            chunk, committed.items);
    return;
  }
  entry.state.store(ChunkState::full, std::memory_order_relaxed);
  if (!adopt_ranges(chunk, committed)) {
    // Ranges that contradict the chunk: better everything again, under new ids, than a record too few.
    os::log(os::LogLevel::error, "pool {}: the ranges of chunk {} are damaged; its records are sent again",
            options_.path, chunk);
    for (layout::Range& range : entry.ranges) range.state.store(RangeState::free, std::memory_order_relaxed);
    entry.sealed_bytes = entry.sealed_items = entry.sealed_context = 0;
  }
  chunks_[chunk].pins.store(1, std::memory_order_relaxed);
  bytes_in_use_.fetch_add(mapping_->geometry().chunk_size(chunk), std::memory_order_relaxed);
  chunks_[chunk].queued.store(true, std::memory_order_relaxed);
  full_chunks_.push_back(chunk);
}

bool Pool::State::adopt_ranges(std::uint32_t chunk, Committed committed) {
  layout::ChunkEntry& entry = mapping_->entry(chunk);
  layout::Header& header = mapping_->header();
  const auto fits = [&](const layout::Range& range) {
    return range.begin <= range.end && range.end <= committed.bytes && range.item_begin <= range.item_end &&
           range.item_end <= committed.items && range.sequence != 0 &&
           range.sequence < header.next_sequence.load(std::memory_order_relaxed);
  };
  if (entry.sealed_bytes > committed.bytes || entry.sealed_items > committed.items) return false;
  for (const layout::Range& range : entry.ranges) {
    const RangeState state = range.state.load(std::memory_order_acquire);
    if (state == RangeState::free) continue;
    if ((state != RangeState::sealed && !layout::is_verdict(state)) || !fits(range)) return false;
  }
  const auto signal = static_cast<model::Signal>(entry.signal);
  for (std::uint32_t slot = 0; slot < layout::ranges_per_chunk; ++slot) {
    layout::Range& range = entry.ranges[slot];
    const RangeState state = range.state.load(std::memory_order_relaxed);
    if (state == RangeState::free) continue;
    if (range.end >= entry.sealed_bytes) {  // may have died between writing the range and the border
      entry.sealed_bytes = range.end;
      entry.sealed_items = range.item_end;
      entry.sealed_context = range.context_end;
    }
    if (layout::is_verdict(state)) {
      totals_.fold(range, signal, chunk, slot);
      range.state.store(RangeState::free, std::memory_order_release);
      continue;
    }
    const base::Bytes bytes{mapping_->chunk_data(chunk) + range.begin, range.end - range.begin};
    model::Walk walk;
    const std::uint32_t items = range.item_end - range.item_begin;
    range.refused = 0;  // of an answer whose verdict was not written: the next one tells anew
    range.damaged = walk_range(bytes, range.context_begin, signal, items, walk);
    Group& group = groups_[model::index_of(signal)][range.sequence];
    group.sequence = range.sequence;
    group.signal = signal;
    group.sealed_at_ns = range.sealed_at_ns;
    group.parts.push_back({chunk, slot});
    group.item_count += items - range.damaged;
    group.bytes += bytes.size();
    group.runs.insert(group.runs.end(), walk.runs.begin(), walk.runs.end());
  }
  return true;
}

}  // namespace arca::journal
