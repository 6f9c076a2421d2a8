// The cold side of the pool: committed records become sealed ranges with a ChunkId, are claimed, and are settled.
#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "base/check.hpp"
#include "base/crash_point.hpp"
#include "journal/pool_state.hpp"
#include "os/log.hpp"

namespace arca::journal {

namespace {

constexpr std::uint64_t group_bytes = 128U << 10U;  // ranges of small chunks are put together up to here
constexpr std::size_t group_parts_max = 64;
constexpr std::uint32_t idle_turns_max = 8;  // scrapes without a record, until an idle thread's chunk is taken back

using layout::ChunkState;
using layout::Committed;
using layout::RangeState;

Committed committed_of(const layout::ChunkEntry& entry) noexcept {
  return Committed::unpack(entry.committed.load(std::memory_order_acquire));
}

std::int64_t since_epoch(base::WallTime time) noexcept { return time.time_since_epoch().count(); }

// How many items of a range could not be read back, because something overwrote them.
std::uint32_t damaged_items(const model::Walk& walk, model::Signal signal, std::size_t size, std::uint32_t items) {
  if (signal == model::Signal::metrics) {  // points per record are not known: by share of bytes, rounded up
    const std::uint64_t bad = size - walk.valid_size;
    return static_cast<std::uint32_t>((bad * items + size - 1) / size);
  }
  std::uint32_t records = 0;
  for (const model::Run& run : walk.runs) records += run.record_count;
  return items > records ? items - records : 0;
}

template <class T>
void reserve_for(std::vector<T>& vector, std::size_t count) {
  const std::size_t need = vector.size() + count;
  if (vector.capacity() < need) vector.reserve(std::max(need, 2 * vector.capacity()));
}

RangeState range_state(const model::Ack& ack) noexcept {
  switch (ack.verdict) {
    case model::Verdict::parked:
      return ack.tier == model::Tier::journal ? RangeState::journaled : RangeState::parked;
    case model::Verdict::rejected:
      return ack.tier == model::Tier::journal ? RangeState::quarantined : RangeState::lost;
    default:
      return RangeState::delivered;
  }
}

}  // namespace

// Owns what a payload points into: its chunks are not used again while it lives.
struct Pool::State::Lease {
  std::shared_ptr<Pool::State> pool;
  std::vector<std::byte> framing;
  std::vector<std::uint32_t> chunks;
  ~Lease() {
    for (const std::uint32_t chunk : chunks) pool->unpin(chunk);
  }
};

std::uint32_t Pool::State::walk_range(base::Bytes bytes, model::ContextId context_id, model::Signal signal,
                                      std::uint32_t items, model::Walk& walk) const {
  walk = model::walk_records(bytes, context_id);
  const std::size_t dropped =
      std::erase_if(walk.runs, [this](const model::Run& run) { return !context(run.context).has_value(); });
  if (walk.valid_size == bytes.size() && dropped == 0) return 0;
  return damaged_items(walk, signal, bytes.size(), items);
}

// Something in this process wrote where it should not. Before the damage is counted; there is no other time to try.
void Pool::State::keep_live_damage(std::uint32_t chunk, std::uint32_t begin, base::Bytes bytes) const {
  const std::uint64_t generation = mapping_->entry(chunk).generation;
  const auto kept = keep_aside(fmt::format("pool-{:04x}-{:x}-{}.bytes", chunk, begin, generation), bytes);
  if (!kept) os::log(os::LogLevel::error, "{}", kept.error().message());
}

bool Pool::State::seal_chunk(std::uint32_t chunk, Group& group) {
  layout::ChunkEntry& entry = mapping_->entry(chunk);
  if (committed_of(entry).bytes == entry.sealed_bytes) return false;
  const auto is_free = [](const layout::Range& range) { return range.state.load() == RangeState::free; };
  const auto free_count = std::count_if(entry.ranges.begin(), entry.ranges.end(), is_free);
  // The last slot must cover everything that will ever be in this chunk.
  if (free_count == 1 && entry.state.load() == ChunkState::open) take_away(chunk);
  if (free_count == 0) return false;
  const auto slot = std::find_if(entry.ranges.begin(), entry.ranges.end(), is_free);
  const Committed committed = committed_of(entry);

  const std::uint32_t begin = entry.sealed_bytes;
  const std::uint32_t items = committed.items - entry.sealed_items;
  const base::Bytes bytes{mapping_->chunk_data(chunk) + begin, committed.bytes - begin};
  model::Walk walk;
  const auto signal = static_cast<model::Signal>(entry.signal);
  const std::uint32_t damaged = walk_range(bytes, entry.sealed_context, signal, items, walk);
  if (damaged > 0 && !adopted_) keep_live_damage(chunk, begin, bytes);
  // Nothing may throw from here on: a range that is sealed is in its group.
  reserve_for(group.parts, 1);
  reserve_for(group.runs, walk.runs.size());

  if (group.parts.empty()) {
    group.signal = signal;
    group.sealed_at_ns = since_epoch(clock_.wall_now());
  }
  slot->sequence = group.parts.empty() ? take_sequence() : group.sequence;
  group.sequence = slot->sequence;
  slot->sealed_at_ns = group.sealed_at_ns;
  slot->begin = begin;
  slot->end = committed.bytes;
  slot->item_begin = entry.sealed_items;
  slot->item_end = committed.items;
  slot->context_begin = entry.sealed_context;
  slot->context_end = walk.last_context;
  slot->refused = 0;
  slot->damaged = damaged;
  slot->state.store(RangeState::sealed, std::memory_order_release);
  base::crash_point("pool.range.sealed");
  entry.sealed_bytes = committed.bytes;
  base::crash_point("pool.border.half_written");
  entry.sealed_items = committed.items;
  entry.sealed_context = walk.last_context;

  group.parts.push_back({chunk, static_cast<std::uint32_t>(slot - entry.ranges.begin())});
  group.item_count += items - damaged;
  group.bytes += bytes.size();
  group.runs.insert(group.runs.end(), walk.runs.begin(), walk.runs.end());
  return true;
}

void Pool::State::commit_group(BuildingGroup& building) noexcept {
  if (building.empty()) return;
  BuildingGroup::Map::node_type node = building.take();
  const std::uint64_t sequence = node.mapped().sequence;
  const bool unreadable = node.mapped().runs.empty();
  node.key() = sequence;
  groups_[model::index_of(node.mapped().signal)].insert(std::move(node));
  if (unreadable) {  // nothing to send: only the count of what was lost remains
    model::Ack ack;
    ack.chunk_id = {options_.writer, sequence};
    ack.verdict = model::Verdict::delivered;
    static_cast<void>(settle_locked(ack));
  }
}

// Ends the open chunk of some thread, from outside.
void Pool::State::take_away(std::uint32_t chunk) {
  const std::lock_guard guard(free_mutex_);
  Lane* lane = chunks_[chunk].lane;
  if (lane != nullptr) detach(*lane, static_cast<model::Signal>(mapping_->entry(chunk).signal));
}

void Pool::State::reclaim_idle(std::uint32_t chunk) {
  ChunkMemory& memory = chunks_[chunk];
  const std::uint32_t bytes = committed_of(mapping_->entry(chunk)).bytes;
  memory.idle_turns = bytes == memory.last_seen_bytes ? memory.idle_turns + 1 : 0;
  memory.last_seen_bytes = bytes;
  const bool large = mapping_->geometry().chunk_size(chunk) == layout::large_chunk_size;
  const bool worth_it = large || bytes_in_use_.load(std::memory_order_relaxed) * 4 > options_.size_max;
  if (memory.idle_turns >= idle_turns_max && worth_it) {
    take_away(chunk);
    memory.idle_turns = 0;
  }
}

// Seals what threads have finished with; small chunks wait for the next scrape unless they add up.
void Pool::State::seal_full_chunks(bool everything) {
  std::vector<std::uint32_t> full;
  {
    const std::lock_guard guard(free_mutex_);
    std::uint64_t bytes = 0;
    for (const std::uint32_t chunk : full_chunks_) bytes += mapping_->geometry().chunk_size(chunk);
    if (full_chunks_.empty() || (!everything && bytes < group_bytes)) return;
    full.assign(full_chunks_.begin(), full_chunks_.end());
    full_chunks_.clear();
  }
  const EpochGuard epoch(mapping_->header(), epoch_depth_);
  Building building;
  std::size_t done = 0;
  try {
    for (; done < full.size(); ++done) {
      chunks_[full[done]].queued.store(false, std::memory_order_relaxed);
      add_to_group(full[done], building);
    }
  } catch (const std::bad_alloc&) {
    queue_again(full, done);  // for the next claim
  }
  for (BuildingGroup& group : building) commit_group(group);
}

// Without memory a chunk cannot be sealed: it must not be forgotten. Reserved for all chunks, so this needs none.
void Pool::State::queue_again(const std::vector<std::uint32_t>& full, std::size_t first) noexcept {
  const std::lock_guard guard(free_mutex_);
  for (std::size_t i = first; i < full.size(); ++i) chunks_[full[i]].queued.store(true, std::memory_order_relaxed);
  full_chunks_.insert(full_chunks_.begin(), full.begin() + static_cast<std::ptrdiff_t>(first), full.end());
}

void Pool::State::add_to_group(std::uint32_t chunk, Building& building) {
  BuildingGroup& group = building[mapping_->entry(chunk).signal];
  const bool sealed = seal_chunk(chunk, group.get());
  recycle_if_done(chunk);  // one that was empty, or settled while it was queued
  if (!sealed) return;
  if (group.get().bytes >= group_bytes || group.get().parts.size() >= group_parts_max) commit_group(group);
}

void Pool::State::scrape(bool everything) {
  struct Seen {
    std::uint32_t chunk;
    std::uint64_t generation;
  };
  // In this order, so that metrics keep theirs: a chunk that is seen open was opened after those before it were queued.
  std::vector<Seen> seen;
  for (std::uint32_t chunk = 0; chunk < chunk_count(); ++chunk) {
    const layout::ChunkEntry& entry = mapping_->entry(chunk);
    if (entry.state.load(std::memory_order_acquire) != ChunkState::open) continue;
    if (!everything) reclaim_idle(chunk);
    seen.push_back({chunk, entry.generation});
  }
  seal_full_chunks(true);
  Building building;
  {
    const EpochGuard epoch(mapping_->header(), epoch_depth_);
    try {
      for (const auto& [chunk, generation] : seen) {
        const layout::ChunkEntry& entry = mapping_->entry(chunk);
        // It may be full by now, which is fine, or free and in use again, which is another one.
        if (entry.state.load(std::memory_order_acquire) == ChunkState::free || entry.generation != generation) continue;
        add_to_group(chunk, building);
      }
    } catch (const std::bad_alloc&) {
      // What is open stays so until the next scrape.
    }
    for (BuildingGroup& group : building) commit_group(group);
  }
  seal_full_chunks(true);  // those that were taken away just now
}

void Pool::State::seal_what_is_due(base::SteadyTime now) {
  const bool need_room = now == base::never;  // somebody wants a chunk freed: every full one helps
  if (need_room || now < next_scrape_) return seal_full_chunks(need_room);
  scrape(false);
  next_scrape_ = now + options_.schedule_delay;
}

Result<std::optional<model::Claim>> Pool::State::claim(model::SignalSet signals, base::SteadyTime now) {
  const std::lock_guard guard(drain_mutex_);
  if (!adopted_) seal_what_is_due(now);
  Group* best = nullptr;
  for (const model::Signal signal : model::all_signals) {
    if (!signals.contains(signal)) continue;
    for (auto& [sequence, group] : groups_[model::index_of(signal)]) {
      if (!group.claimed && group.not_before <= now) {
        if (best == nullptr || sequence < best->sequence) best = &group;
        break;
      }
      if (signal == model::Signal::metrics) break;  // strictly in order
    }
  }
  if (best == nullptr) return std::optional<model::Claim>();
  return make_claim(*best);
}

Result<std::optional<model::Claim>> Pool::State::make_claim(Group& group) {
  auto request = model::frame_request(group.runs, [this](model::ContextId id) { return context(id); });
  if (!request) {
    return failure(ErrorCode::corrupt, "a chunk of the pool names a resource that is not in the pool");
  }
  auto lease = std::make_shared<Lease>();
  lease->pool = shared_from_this();
  lease->chunks.reserve(group.parts.size());
  lease->framing = std::move(request->framing);
  model::Payload payload = model::Payload::borrow(std::move(request->slices), lease);
  // All memory is there: a chunk that is claimed is also given.
  for (const Group::Part& part : group.parts) {
    chunks_[part.chunk].pins.fetch_add(1, std::memory_order_relaxed);
    lease->chunks.push_back(part.chunk);
  }
  group.claimed = true;
  ++group.attempts;
  model::Chunk chunk;
  chunk.id = {options_.writer, group.sequence};
  chunk.signal = group.signal;
  chunk.item_count = group.item_count;
  chunk.sealed_at = base::WallTime(base::Duration(group.sealed_at_ns));
  chunk.payload = std::move(payload);
  return std::optional<model::Claim>(model::Claim{std::move(chunk), group.attempts});
}

Result<void> Pool::State::settle(const model::Ack& ack) {
  const std::lock_guard guard(drain_mutex_);
  return settle_locked(ack);
}

Result<void> Pool::State::settle_locked(const model::Ack& ack) {
  ARCA_CHECK(model::is_settled(ack.verdict));
  for (auto& groups : groups_) {
    const auto found = groups.find(ack.chunk_id.sequence);
    if (found == groups.end() || ack.chunk_id.writer != options_.writer) continue;
    const std::vector<Group::Part> parts = std::move(found->second.parts);
    groups.erase(found);
    mark_and_fold(parts, ack);
    return {};
  }
  return failure(ErrorCode::not_found,
                 "chunk " + model::to_string(ack.chunk_id) + " is not (or no longer) in the pool");
}

void Pool::State::mark_and_fold(const std::vector<Group::Part>& parts, const model::Ack& ack) {
  const EpochGuard epoch(mapping_->header(), epoch_depth_);
  const RangeState verdict = range_state(ack);
  std::uint32_t refused = ack.verdict == model::Verdict::delivered ? ack.refused_item_count : 0;
  for (const Group::Part& part : parts) {
    layout::Range& range = mapping_->entry(part.chunk).ranges[part.slot];
    const std::uint32_t share = std::min(refused, range.item_end - range.item_begin - range.damaged);
    refused -= share;
    // Refused items that the quarantine could not keep are lost, like damaged ones.
    (ack.tier == model::Tier::journal ? range.refused : range.damaged) += share;
    range.state.store(verdict, std::memory_order_release);
    base::crash_point("pool.verdict.marked");
  }
  for (const Group::Part& part : parts) {
    layout::ChunkEntry& entry = mapping_->entry(part.chunk);
    layout::Range& range = entry.ranges[part.slot];
    totals_.fold(range, static_cast<model::Signal>(entry.signal), part.chunk, part.slot);
    base::crash_point("pool.verdict.counted");
    range.state.store(RangeState::free, std::memory_order_release);
    range.sequence = 0;
    recycle_if_done(part.chunk);
  }
}

void Pool::State::recycle_if_done(std::uint32_t chunk) {
  layout::ChunkEntry& entry = mapping_->entry(chunk);
  if (entry.state.load(std::memory_order_acquire) != ChunkState::full) return;
  if (chunks_[chunk].queued.load(std::memory_order_relaxed)) return;
  if (committed_of(entry).bytes != entry.sealed_bytes) return;
  for (const layout::Range& range : entry.ranges) {
    if (range.state.load(std::memory_order_relaxed) != RangeState::free) return;
  }
  totals_.recycle(entry, chunk);
  base::crash_point("pool.chunk.counted");
  entry.committed.store(0, std::memory_order_release);
  base::crash_point("pool.chunk.emptied");
  entry.state.store(ChunkState::free, std::memory_order_release);
  unpin(chunk);
}

void Pool::State::release(const model::ChunkId& id, base::SteadyTime not_before) {
  {
    const std::lock_guard guard(drain_mutex_);
    for (auto& groups : groups_) {
      const auto found = groups.find(id.sequence);
      if (found == groups.end()) continue;
      found->second.claimed = false;
      found->second.not_before = not_before;
    }
  }
  wake();  // not always the one who claims gives it back: the spiller does, too
}

void Pool::State::forget_release_times() {
  const std::lock_guard guard(drain_mutex_);
  for (auto& groups : groups_) {
    for (auto& [sequence, group] : groups) group.not_before = base::SteadyTime::min();
  }
}

base::SteadyTime Pool::State::next_claim_at(model::SignalSet signals, base::SteadyTime now) {
  const std::lock_guard guard(drain_mutex_);
  base::SteadyTime next = adopted_ ? base::never : next_scrape_;
  for (const model::Signal signal : model::all_signals) {
    if (!signals.contains(signal)) continue;
    for (const auto& [sequence, group] : groups_[model::index_of(signal)]) {
      if (!group.claimed) next = std::min(next, std::max(now, group.not_before));
      if (next <= now || signal == model::Signal::metrics) break;
    }
  }
  return next;
}

}  // namespace arca::journal
