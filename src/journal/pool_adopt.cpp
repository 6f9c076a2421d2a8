// Taking over the pool of a dead writer: every committed record that has no verdict becomes claimable again, under
// the id it had if it had one. Written so that dying in the middle and starting over changes nothing.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "journal/pool_state.hpp"
#include "os/file_system.hpp"
#include "os/log.hpp"

namespace arca::journal {

using layout::Committed;
using layout::RangeState;

Result<void> Pool::State::take_over() {
  const std::lock_guard guard(drain_mutex_);
  const EpochGuard epoch(mapping_->header(), epoch_depth_);
  if (const auto loaded = load_contexts(); !loaded) return loaded;
  // First the range that was counted last: the mark that says so is overwritten by the next one that is counted.
  for (std::uint32_t chunk = 0; chunk < chunk_count(); ++chunk) forget_folded(chunk);
  for (std::uint32_t chunk = 0; chunk < chunk_count(); ++chunk) {
    if (const auto adopted = adopt_chunk(chunk); !adopted) return adopted;
  }
  // Metrics must leave in the order in which their chunks were opened.
  std::sort(full_chunks_.begin(), full_chunks_.end(), [this](std::uint32_t a, std::uint32_t b) {
    return mapping_->entry(a).open_order < mapping_->entry(b).open_order;
  });
  seal_full_chunks(true);
  return {};
}

void Pool::State::forget_folded(std::uint32_t chunk) {
  layout::ChunkEntry& entry = mapping_->entry(chunk);
  if (entry.state.load(std::memory_order_acquire) == layout::ChunkState::free) return;
  for (std::uint32_t slot = 0; slot < layout::ranges_per_chunk; ++slot) {
    layout::Range& range = entry.ranges[slot];
    if (!layout::is_verdict(range.state.load(std::memory_order_acquire))) continue;
    if (!totals_.is_folded(range, chunk, slot)) continue;
    range.state.store(RangeState::free, std::memory_order_release);
  }
}

Result<void> Pool::State::adopt_chunk(std::uint32_t chunk) {
  layout::ChunkEntry& entry = mapping_->entry(chunk);
  if (entry.state.load(std::memory_order_acquire) == layout::ChunkState::free) return {};
  if (totals_.is_recycled(entry, chunk)) {  // died just before it was free
    entry.committed.store(0, std::memory_order_relaxed);
    entry.state.store(layout::ChunkState::free, std::memory_order_release);
    return {};
  }
  const auto committed = Committed::unpack(entry.committed.load(std::memory_order_acquire));
  if (entry.signal >= model::signal_count || committed.bytes > mapping_->geometry().chunk_size(chunk)) {
    os::log(os::LogLevel::error,
            "pool {}: the entry of chunk {} is damaged; what it held ({} records by its count) is lost", options_.path,
            chunk, committed.items);
    const std::uint32_t size = mapping_->geometry().chunk_size(chunk);
    return keep_aside(fmt::format("pool-{:04x}.bytes", chunk), {mapping_->chunk_data(chunk), size});
  }
  entry.state.store(layout::ChunkState::full, std::memory_order_relaxed);
  if (!adopt_ranges(chunk, committed)) {
    // Ranges that contradict the chunk: better everything again, under new ids, than a record too few.
    os::log(os::LogLevel::error, "pool {}: the ranges of chunk {} are damaged; its records are sent again",
            options_.path, chunk);
    for (layout::Range& range : entry.ranges) range.state.store(RangeState::free, std::memory_order_relaxed);
    entry.sealed_bytes = entry.sealed_items = entry.sealed_context = 0;
  }
  if (const auto kept = keep_damage(chunk, committed); !kept) return kept;
  chunks_[chunk].pins.store(1, std::memory_order_relaxed);
  bytes_in_use_.fetch_add(mapping_->geometry().chunk_size(chunk), std::memory_order_relaxed);
  chunks_[chunk].queued.store(true, std::memory_order_relaxed);
  full_chunks_.push_back(chunk);
  return {};
}

// Before anything of it is counted as lost.
Result<void> Pool::State::keep_damage(std::uint32_t chunk, Committed committed) const {
  const layout::ChunkEntry& entry = mapping_->entry(chunk);
  const auto keep = [&](std::uint32_t begin, std::uint32_t end) {
    return keep_aside(fmt::format("pool-{:04x}-{:x}.bytes", chunk, begin),
                      {mapping_->chunk_data(chunk) + begin, end - begin});
  };
  for (const layout::Range& range : entry.ranges) {
    if (range.state.load(std::memory_order_relaxed) != RangeState::sealed || range.damaged == 0) continue;
    if (const auto kept = keep(range.begin, range.end); !kept) return kept;
  }
  const base::Bytes tail{mapping_->chunk_data(chunk) + entry.sealed_bytes, committed.bytes - entry.sealed_bytes};
  model::Walk walk;
  const auto signal = static_cast<model::Signal>(entry.signal);
  if (tail.empty() || walk_range(tail, entry.sealed_context, signal, 1, walk) == 0) return {};
  return keep(entry.sealed_bytes, committed.bytes);
}

// Under a name that is the same whenever it is tried again.
Result<void> Pool::State::keep_aside(const std::string& name, base::Bytes bytes) const {
  if (options_.damaged_directory.empty() || bytes.empty()) return {};
  os::FileSystem& files = os::posix_file_system();
  const std::string path = options_.damaged_directory + "/" + name;
  if (files.exists(path)) return {};
  const std::string unfinished = path + ".new";
  Result<void> done = files.make_directories(options_.damaged_directory);
  if (done) done = files.remove(unfinished);
  if (done) {
    const Result<std::unique_ptr<os::File>> file = files.open(unfinished, os::OpenMode::create_new);
    const std::array<base::Bytes, 1> slice{bytes};
    done = file ? (*file)->write_at(0, slice) : failure(file.error());
  }
  if (done) done = files.rename(unfinished, path);
  if (!done) return failure(done.error().with_context("keep damaged bytes of the pool " + options_.path));
  os::log(os::LogLevel::warn, "pool {}: {} damaged bytes are kept in {}", options_.path, bytes.size(), path);
  return {};
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
