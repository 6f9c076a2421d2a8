#include "cassandra/parked_segment.hpp"

#include "base/check.hpp"

namespace arca::cassandra {

model::Backlog ParkedSegment::backlog() const {
  model::Backlog left;
  if (!is_undone()) return left;
  left.oldest = entry.head.opened_at;
  const std::int32_t done = phase == Phase::replaying ? position : entry.replay_position;
  if (!entry.sealed_at || entry.summary.chunk_count <= 0) {  // nobody has said what is in it
    for (const auto& [at, slot] : slots) {
      left.bytes += slot.stored.raw_size;
      left.item_count[model::index_of(slot.stored.signal)] += slot.stored.item_count;
    }
    left.chunk_count = std::max<std::uint64_t>(1, slots.size());
    return left;
  }
  const std::int32_t all = entry.summary.chunk_count;
  const std::int32_t rest = std::max(0, all - done - static_cast<std::int32_t>(settled.size()));
  const double share = static_cast<double>(rest) / static_cast<double>(all);
  left.chunk_count = static_cast<std::uint64_t>(std::max(1, rest));
  left.bytes = static_cast<std::uint64_t>(static_cast<double>(entry.summary.raw_bytes) * share);
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    left.item_count[i] = static_cast<std::uint64_t>(static_cast<double>(entry.summary.item_count[i]) * share);
  }
  return left;
}

void ParkedSegment::begin(std::uint64_t new_generation) {
  phase = Phase::replaying;
  generation = new_generation;
  slots.clear();
  settled.clear();
  position = written_position = cursor = entry.replay_position;
  quarantined_items = entry.quarantined_items;
  // Of one that nobody has sealed, its rows tell; and something was to lie in it, or it would not have been opened.
  const std::int32_t told = std::max(entry.rows_position, position == 0 ? 1 : 0);
  left_count = (entry.sealed_at ? entry.summary.chunk_count : told) - position;
  is_at_end = is_last_pass = is_reading = is_marking = is_rescued = false;
  failure_count = 0;
}

void ParkedSegment::start_pass(bool is_last) {
  cursor = position;
  while (settled.contains(cursor) || slots.contains(cursor)) ++cursor;
  is_at_end = false;
  is_last_pass = is_last;
}

void ParkedSegment::settle(std::int32_t at, std::uint32_t quarantined) {
  const auto found = slots.find(at);
  ARCA_CHECK(found != slots.end());
  settled.insert_or_assign(at, Settled{found->second.stored.signal, quarantined});
  slots.erase(found);
  advance();
}

void ParkedSegment::advance() {
  const auto fold = [this](std::map<std::int32_t, Settled>::iterator which) {
    quarantined_items[model::index_of(which->second.signal)] += which->second.quarantined_items;
    return settled.erase(which);
  };
  if (!is_last_pass) {  // a gap may be filled yet
    for (auto next = settled.begin(); next != settled.end() && next->first == position; ++position) next = fold(next);
    return;
  }
  std::int32_t to = cursor;
  if (!slots.empty()) to = std::min(to, slots.begin()->first);
  for (auto next = settled.begin(); next != settled.end() && next->first < to;) next = fold(next);
  position = std::max(position, to);
}

void ParkedSegment::evict() {
  std::erase_if(slots, [](const auto& each) { return each.second.state == ParkedSlot::State::ready; });
  start_pass(is_last_pass);
}

}  // namespace arca::cassandra
