#include "cassandra/parked_segment.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "cassandra/segment_account.hpp"

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
  replayed_items = entry.replayed_items;
  quarantined_items = entry.quarantined_items;
  gaps = entry.gaps;
  entry.replayed_at.reset();  // if somebody has ended it too early
  is_at_end = is_last_pass = knew_its_seal = is_reading = is_marking = is_rescued = false;
  failure_count = 0;
}

void ParkedSegment::start_pass(bool is_last) {
  if (entry.sealed_at && !std::exchange(knew_its_seal, true)) look_back();
  cursor = position;
  while (settled.contains(cursor) || slots.contains(cursor)) ++cursor;
  is_at_end = false;
  is_last_pass = is_last;
}

// Whoever passed over a gap did not know that a chunk which counts was to come there. What was found behind it stays
// found.
void ParkedSegment::look_back() {
  SegmentEntry now = entry;
  now.replay_position = position;
  now.gaps = gaps;
  const std::optional<std::int32_t> first = first_missing(now);
  if (!first || *first >= position) return;
  for (std::int32_t at = *first; at < position; ++at) {
    if (!gaps.contains(at)) settled.emplace(at, Settled{});  // counted already
  }
  gaps.cut(*first);
  position = *first;
}

void ParkedSegment::end_pass() {
  is_at_end = true;
  if (is_last_pass && knew_its_seal) cursor = std::max(cursor, entry.summary.chunk_count);
}

void ParkedSegment::settle(std::int32_t at, std::uint32_t quarantined) {
  const auto found = slots.find(at);
  ARCA_CHECK(found != slots.end());
  settled.insert_or_assign(at, Settled{found->second.stored.signal, found->second.stored.item_count, quarantined});
  slots.erase(found);
  advance();
}

void ParkedSegment::lose(std::int32_t at) {
  ARCA_CHECK(slots.erase(at) > 0);
  advance();
}

void ParkedSegment::advance() {
  const auto fold = [this](std::map<std::int32_t, Settled>::iterator which) {
    const std::size_t signal = model::index_of(which->second.signal);
    if (signal < model::signal_count) {  // else it is damaged
      replayed_items[signal] += which->second.item_count;
      quarantined_items[signal] += which->second.quarantined_items;
    }
    position = which->first + 1;
    return settled.erase(which);
  };
  if (!is_last_pass) {  // a gap may be filled yet
    for (auto next = settled.begin(); next != settled.end() && next->first == position;) next = fold(next);
    return;
  }
  std::int32_t to = cursor;
  if (!slots.empty()) to = std::min(to, slots.begin()->first);
  for (auto next = settled.begin(); next != settled.end() && next->first < to;) {
    if (position < next->first) gaps.add(position, next->first - 1);
    next = fold(next);
  }
  if (position >= to) return;
  gaps.add(position, to - 1);
  position = to;
}

ParkingStore::Progress ParkedSegment::progress() const {
  ParkingStore::Progress made;
  made.position = position;
  made.replayed_items = replayed_items;
  made.quarantined_items = quarantined_items;
  made.gaps = gaps;
  return made;
}

void ParkedSegment::evict() {
  std::erase_if(slots, [](const auto& each) { return each.second.state == ParkedSlot::State::ready; });
  start_pass(is_last_pass);
}

}  // namespace arca::cassandra
