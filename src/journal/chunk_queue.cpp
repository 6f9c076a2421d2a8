#include "journal/chunk_queue.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "base/check.hpp"

namespace arca::journal {
namespace {

constexpr std::uint32_t empty_slot = 0xFFFFFFFFU;
constexpr std::size_t capacity_min = 16;  // a power of two, like every capacity

bool has_unusable_position(std::uint64_t position) noexcept {
  return static_cast<std::uint32_t>(position) == empty_slot;
}

}  // namespace

void ChunkQueue::push(const ChunkEntry& entry) {
  if (has_unusable_position(base_ + entries_.size())) {
    entries_.push_back({});
    entries_.back().state = ChunkState::settled;
  }
  if (2 * (live_count_ + 1) > table_.size()) rebuild_table(std::max(capacity_min, table_.size() * 2));
  entries_.push_back(entry);
  entries_.back().state = ChunkState::fresh;
  insert_slot(base_ + entries_.size() - 1);
  ++live_count_;
  payload_bytes_ += entry.place.payload_size;
  item_count_ += entry.item_count;
}

ChunkEntry* ChunkQueue::find(const model::ChunkId& id) noexcept {
  if (table_.empty()) return nullptr;
  const std::size_t slot = slot_of(id);
  return table_[slot] == empty_slot ? nullptr : &at(position_in(slot));
}

ChunkEntry* ChunkQueue::claimable(base::SteadyTime now) noexcept {
  if (live_count_ == 0) return nullptr;
  if (strictly_in_order_) {
    ChunkEntry& front = entries_.front();
    if (front.state == ChunkState::fresh) return &front;
    const bool is_ready = front.state == ChunkState::released && released_.front().not_before <= now;
    return is_ready ? &front : nullptr;
  }
  for (const Release& release : released_) {
    if (release.not_before <= now) return &at(release.position);
  }
  const std::uint64_t end = base_ + entries_.size();
  for (fresh_ = std::max(fresh_, base_); fresh_ < end; ++fresh_) {
    if (at(fresh_).state == ChunkState::fresh) return &at(fresh_);
  }
  return nullptr;
}

void ChunkQueue::claim(ChunkEntry& entry) noexcept {
  forget_release(position_of(entry));
  if (entry.state != ChunkState::claimed) ++claimed_count_;
  entry.state = ChunkState::claimed;
  if (entry.attempt_count < 0xFFFFU) ++entry.attempt_count;
}

void ChunkQueue::release(ChunkEntry& entry, base::SteadyTime not_before) {
  if (entry.state != ChunkState::claimed) return;
  const std::uint64_t position = position_of(entry);
  const auto behind = std::upper_bound(released_.begin(), released_.end(), position,
                                       [](std::uint64_t left, const Release& right) { return left < right.position; });
  released_.insert(behind, Release{position, not_before});
  entry.state = ChunkState::released;
  --claimed_count_;
}

void ChunkQueue::forget_release_times() noexcept {
  for (Release& release : released_) release.not_before = base::SteadyTime::min();
}

void ChunkQueue::settle(ChunkEntry& entry) {
  ARCA_CHECK(entry.state != ChunkState::settled);
  forget_release(position_of(entry));
  erase_slot(entry.id);
  if (entry.state == ChunkState::claimed) --claimed_count_;
  entry.state = ChunkState::settled;
  --live_count_;
  payload_bytes_ -= entry.place.payload_size;
  item_count_ -= entry.item_count;
  drop_settled();
}

base::SteadyTime ChunkQueue::next_claim_at(base::SteadyTime now) noexcept {
  if (claimable(now) != nullptr) return now;
  if (strictly_in_order_) {
    const bool waits = live_count_ > 0 && entries_.front().state == ChunkState::released;
    return waits ? released_.front().not_before : base::never;
  }
  base::SteadyTime earliest = base::never;
  for (const Release& release : released_) earliest = std::min(earliest, release.not_before);
  return earliest;
}

const ChunkEntry* ChunkQueue::front() const noexcept { return live_count_ == 0 ? nullptr : &entries_.front(); }

std::uint64_t ChunkQueue::position_of(const ChunkEntry& entry) noexcept { return position_in(slot_of(entry.id)); }

void ChunkQueue::forget_release(std::uint64_t position) noexcept {
  std::erase_if(released_, [&](const Release& release) { return release.position == position; });
}

// Keeps the front unsettled. One chunk that nobody takes must not keep the memory of a million that were taken.
void ChunkQueue::drop_settled() noexcept {
  while (!entries_.empty() && entries_.front().state == ChunkState::settled) {
    entries_.pop_front();
    ++base_;
  }
  if (entries_.size() < 64 || entries_.size() < 2 * live_count_) return;
  try {
    pack();
  } catch (const std::bad_alloc&) {  // it stays as it is, until the next one is settled
  }
}

// Builds everything anew without those that are settled. Changes nothing when it throws.
void ChunkQueue::pack() {
  std::deque<ChunkEntry> kept;
  std::vector<Release> released;
  released.reserve(released_.size() + claimed_count_ + 1);
  const std::uint64_t new_base = base_ + entries_.size();
  const std::uint64_t before = base_;
  std::uint64_t fresh = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    ChunkEntry& entry = entries_[i];
    if (entry.state == ChunkState::settled) continue;
    if (has_unusable_position(new_base + kept.size())) {
      kept.push_back({});
      kept.back().state = ChunkState::settled;
    }
    const std::uint64_t position = new_base + kept.size();
    if (before + i < fresh_) fresh = position + 1;
    const auto found = std::find_if(released_.begin(), released_.end(),
                                    [&](const Release& release) { return release.position == before + i; });
    if (found != released_.end()) released.push_back({position, found->not_before});
    kept.push_back(entry);
  }
  base_ = new_base;  // not before all memory is there
  entries_ = std::move(kept);
  released_ = std::move(released);
  fresh_ = std::max(fresh, new_base);
  rebuild_table(table_.size());
  while (table_.size() > capacity_min && 8 * live_count_ < table_.size()) rebuild_table(table_.size() / 2);  // shrinks
  while (!entries_.empty() && entries_.front().state == ChunkState::settled) {
    entries_.pop_front();
    ++base_;
  }
}

void ChunkQueue::rebuild_table(std::size_t capacity) {
  table_.assign(capacity, empty_slot);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].state != ChunkState::settled) insert_slot(base_ + i);
  }
}

// The slot that holds the id, or the empty one where it would go.
std::size_t ChunkQueue::slot_of(const model::ChunkId& id) const noexcept {
  const std::size_t mask = table_.size() - 1;
  const std::size_t hash = std::hash<model::ChunkId>()(id);
  std::size_t slot = (hash ^ (hash >> 32U)) & mask;
  while (table_[slot] != empty_slot) {
    if (entries_[static_cast<std::size_t>(position_in(slot) - base_)].id == id) break;
    slot = (slot + 1) & mask;
  }
  return slot;
}

void ChunkQueue::insert_slot(std::uint64_t position) noexcept {
  table_[slot_of(at(position).id)] = static_cast<std::uint32_t>(position);
}

// Linear probing without tombstones: whoever stands behind the hole and may not lie there is moved into it.
void ChunkQueue::erase_slot(const model::ChunkId& id) noexcept {
  const std::size_t mask = table_.size() - 1;
  std::size_t hole = slot_of(id);
  for (std::size_t slot = (hole + 1) & mask; table_[slot] != empty_slot; slot = (slot + 1) & mask) {
    const std::size_t hash = std::hash<model::ChunkId>()(at(position_in(slot)).id);
    const std::size_t home = (hash ^ (hash >> 32U)) & mask;
    if (((slot - home) & mask) >= ((slot - hole) & mask)) {
      table_[hole] = table_[slot];
      hole = slot;
    }
  }
  table_[hole] = empty_slot;
}

std::uint64_t ChunkQueue::position_in(std::size_t slot) const noexcept {
  return base_ + (table_[slot] - static_cast<std::uint32_t>(base_));
}

}  // namespace arca::journal
