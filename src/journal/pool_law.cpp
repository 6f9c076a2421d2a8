// What the pool holds and has held: sums over the mapping, for the conservation law, flush and status.
#include <algorithm>
#include <cstring>

#include "journal/pool_state.hpp"

namespace arca::journal {

using layout::ChunkState;
using layout::Committed;
using layout::RangeState;

std::uint64_t Pool::State::seal_all() {
  const std::lock_guard guard(drain_mutex_);
  if (!adopted_) scrape(true);
  return mapping_->header().next_sequence.load(std::memory_order_relaxed) - 1;
}

std::uint64_t Pool::State::lowest_unsettled() const {
  const std::lock_guard guard(drain_mutex_);
  std::uint64_t lowest = mapping_->header().next_sequence.load(std::memory_order_relaxed);
  for (const auto& groups : groups_) {
    if (!groups.empty()) lowest = std::min(lowest, groups.begin()->first);
  }
  return lowest;
}

bool Pool::State::empty() const {
  for (const std::uint64_t items : in_memory()) {
    if (items != 0) return false;
  }
  return true;
}

// Committed items of a chunk in use that have no verdict yet. Requires drain_mutex_.
std::uint64_t Pool::State::unsettled_items(const layout::ChunkEntry& entry, Committed committed) noexcept {
  std::uint64_t items = committed.items - entry.sealed_items;
  for (const layout::Range& range : entry.ranges) {
    if (range.state.load(std::memory_order_relaxed) == RangeState::sealed) items += range.item_end - range.item_begin;
  }
  return items;
}

std::array<std::uint64_t, model::signal_count> Pool::State::in_memory() const { return account().items; }
model::Totals Pool::State::totals() const { return account().totals; }

// Threads append meanwhile: what is read of a chunk must come from a single look at its committed word, or what is
// accepted and what is held would differ.
model::Account Pool::State::account() const {
  const std::lock_guard guard(drain_mutex_);
  const layout::Header& header = mapping_->header();
  model::Account account{.totals = totals_.current().totals, .items = {}};
  for (std::uint32_t chunk = 0; chunk < chunk_count(); ++chunk) {
    const layout::ChunkEntry& entry = mapping_->entry(chunk);
    // First whether it is in use: until then an appending thread may be writing its signal.
    if (entry.state.load(std::memory_order_acquire) == ChunkState::free || entry.signal >= model::signal_count)
      continue;
    const auto committed = Committed::unpack(entry.committed.load(std::memory_order_acquire));
    account.totals[entry.signal].accepted += committed.items;
    account.items[entry.signal] += unsettled_items(entry, committed);
  }
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    const std::uint64_t direct = header.direct[i].load(std::memory_order_relaxed);
    account.totals[i].accepted += direct;
    account.totals[i].journaled += direct;
    account.totals[i].refused += header.refused[i].load(std::memory_order_relaxed);
  }
  return account;
}

model::Backlog Pool::State::backlog() const {
  model::Backlog backlog;
  backlog.item_count = in_memory();
  const std::lock_guard guard(drain_mutex_);
  std::int64_t oldest = INT64_MAX;
  for (const auto& groups : groups_) {
    backlog.chunk_count += groups.size();
    for (const auto& [sequence, group] : groups) {
      backlog.bytes += group.bytes;
      oldest = std::min(oldest, group.sealed_at_ns);
    }
  }
  if (oldest != INT64_MAX) backlog.oldest = base::WallTime(base::Duration(oldest));
  return backlog;
}

bool Pool::State::publish_status(std::string_view json) noexcept {
  layout::StatusPage& page = mapping_->status_page();
  if (json.size() > page.text.size() || serial_.load(std::memory_order_relaxed) == 0) return false;
  const std::uint32_t version = page.version.fetch_add(1, std::memory_order_acq_rel);
  page.size = static_cast<std::uint32_t>(json.size());
  std::memcpy(page.text.data(), json.data(), json.size());
  page.version.store(version + 2, std::memory_order_release);
  return true;
}

}  // namespace arca::journal
