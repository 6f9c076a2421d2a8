// ParkedSource reads ahead, within its bounds, and writes down how far each segment is replayed.
#include <algorithm>
#include <utility>

#include "base/crash_point.hpp"
#include "cassandra/parked_source_state.hpp"
#include "cassandra/segment_account.hpp"

namespace arca::cassandra {
namespace {

constexpr std::uint32_t page_max = 8;                       // chunks of one read
constexpr std::uint32_t reads_max = 4;                      // at a time
constexpr std::size_t slots_max = 4096;                     // chunks that are known, most of them without their payload
constexpr std::uint32_t room_made = 4;                      // chunks whose payload is dropped at once
constexpr auto next_read_within = std::chrono::seconds(1);  // rows leave the server to reads for so long

}  // namespace

// --- room ----------------------------------------------------------------------------------------

// How many chunks may be read now.
std::uint32_t ParkedSource::State::room() {
  const std::uint64_t chunks = held_.chunks + reserved_.chunks;
  const std::uint64_t bytes = held_.bytes + reserved_.bytes;
  if (chunks == 0) return 1;  // however large it is, it must pass
  if (chunks >= options_.read_ahead_chunks || bytes + chunk_estimate_ > options_.read_ahead_bytes) return 0;
  const std::uint64_t fitting = (options_.read_ahead_bytes - bytes) / chunk_estimate_;
  return static_cast<std::uint32_t>(std::min({std::uint64_t{page_max}, options_.read_ahead_chunks - chunks, fitting}));
}

// Nobody takes what is there: its endpoint is away, or it waits for its turn. What can go must not wait for it, so the
// newest lose their payload; it is read again when they can be given.
void ParkedSource::State::make_room() {
  std::uint32_t dropped = 0;
  for (auto segment = active_.rbegin(); segment != active_.rend() && dropped < room_made; ++segment) {
    auto& slots = segment->second->slots;
    for (auto slot = slots.rbegin(); slot != slots.rend() && dropped < room_made; ++slot) {
      if (slot->second.state != ParkedSlot::State::ready || !slot->second.has_payload()) continue;
      drop_payload(slot->second);
      ++dropped;
    }
  }
}

void ParkedSource::State::drop_payload(ParkedSlot& slot) {
  if (!slot.has_payload()) return;
  --held_.chunks;
  held_.bytes -= slot.bytes();
  slot.stored.payload.reset();
}

void ParkedSource::State::forget_slots(ParkedSegment& segment) {
  for (auto& [position, slot] : segment.slots) drop_payload(slot);
  slot_count_ -= segment.slots.size();
  segment.slots.clear();
}

// --- reading -------------------------------------------------------------------------------------

void ParkedSource::State::read_ahead(base::SteadyTime now) {
  while (!is_closing_ && reading_count_ < reads_max && read_next(now)) {
  }
}

// Starts one read, of the oldest that wants it; false if there is none, or no room.
bool ParkedSource::State::read_next(base::SteadyTime now) {
  if (room() == 0 && is_starving_) make_room();
  const std::uint32_t limit = room();
  if (limit == 0) return false;
  if (load_) {
    const Place wanted = *std::exchange(load_, std::nullopt);
    ParkedSegment* const segment = find(wanted.handle);
    const auto slot = segment == nullptr ? decltype(segment->slots.end()){} : segment->slots.find(wanted.position);
    if (segment != nullptr && slot != segment->slots.end() && !segment->is_reading && now >= segment->again_at) {
      std::uint32_t count = 0;
      for (auto next = slot; next != segment->slots.end() && count < limit; ++next, ++count) {
        if (next->second.has_payload()) break;
      }
      read(*segment, wanted.position, std::max(1U, count), false);
      return true;
    }
  }
  ParkedSegment* next = nullptr;
  for (const auto& [order, segment] : active_) {
    if (segment->phase != Phase::replaying || segment->is_reading || segment->is_at_end || segment->is_rescued)
      continue;
    if (now < segment->again_at || !is_valid(shards_[static_cast<std::size_t>(segment->shard())])) continue;
    next = segment;
    break;
  }
  Shard* opened = nullptr;
  for (Shard& shard : shards_) {
    if (shard.waiting.empty() || !is_valid(shard)) continue;
    if (now < shard.waiting.begin()->second->again_at) continue;
    if (next != nullptr && next->order() < shard.waiting.begin()->first) continue;
    if (opened == nullptr || shard.waiting.begin()->first < opened->waiting.begin()->first) opened = &shard;
  }
  if (slot_count_ >= slots_max) {
    // What is known and cannot go fills the memory. The older ones come first.
    const auto newest = active_.rbegin();
    const bool is_older = (opened != nullptr && opened->waiting.begin()->first < newest->first) ||
                          (next != nullptr && next->order() < newest->first);
    if (!is_older || newest->second->is_reading || newest->second->slots.empty()) return false;
    for (auto& [position, slot] : newest->second->slots) {
      if (slot.state == ParkedSlot::State::ready) drop_payload(slot);
    }
    slot_count_ -= newest->second->slots.size();
    newest->second->evict();
    slot_count_ += newest->second->slots.size();
    if (slot_count_ >= slots_max) return false;
  }
  if (opened != nullptr) {
    open_segment(*opened, *opened->waiting.begin()->second);
    return true;
  }
  if (next == nullptr) return false;
  read(*next, next->cursor, limit, true);
  return true;
}

// Somebody else may have replayed a part of it since it was listed.
void ParkedSource::State::open_segment(Shard& shard, ParkedSegment& segment) {
  const SegmentOrder order = segment.order();
  active_.emplace(order, &segment);
  shard.waiting.erase(order);
  segment.phase = Phase::opening;
  segment.generation = ++generation_;
  const Handle handle = handle_of(segment);
  auto answer = later<StoreStatus, std::optional<SegmentEntry>>(
      [this, handle](const StoreStatus& status, std::optional<SegmentEntry> entry) {
        --reading_count_;
        take_opened(handle, status, std::move(entry));
      });
  ++reading_count_;
  call([this, name = segment.entry.head.name, answer = std::move(answer)] { store_.read_segment(name, answer); });
}

void ParkedSource::State::take_opened(const Handle& handle, const StoreStatus& status,
                                      std::optional<SegmentEntry> entry) {
  ParkedSegment* const segment = find(handle);
  if (segment == nullptr) return;
  Shard& shard = shards_[static_cast<std::size_t>(handle.shard)];
  if (entry) keep_head(*segment, *entry);
  if (!status.ok()) {
    note_failure("read a segment of the directory", status);
    active_.erase(handle.order);
    shard.waiting.emplace(handle.order, segment);
    segment->phase = Phase::waiting;
    segment->again_at = clock_.steady_now() + backoff(++segment->failure_count);
    return;
  }
  if (!entry || is_over(*entry)) {
    active_.erase(handle.order);
    segment->phase = Phase::replayed;
    if (entry) {
      entry->summary.services.clear();
      segment->entry = std::move(*entry);
    }
    if (!entry || !rows_are_missing(*segment)) drop(shard, handle.order);
    return;
  }
  entry->summary.services.clear();
  segment->entry = std::move(*entry);
  segment->begin(handle.generation);
  const base::SteadyTime now = clock_.steady_now();
  if (!segment->entry.sealed_at && !segment->unsealed_since) segment->unsealed_since = now;
  segment->start_pass(segment->is_whole(now, wait_));
  segment->pass_begun_at = now;
}

void ParkedSource::State::read(ParkedSegment& segment, std::int32_t from, std::uint32_t limit, bool is_pass) {
  const Handle handle = handle_of(segment);
  const Budget part{limit, limit * chunk_estimate_};
  auto answer = later<StoreStatus, std::vector<StoredChunk>>(
      [this, handle, from, is_pass, part](const StoreStatus& status, std::vector<StoredChunk> chunks) {
        --reading_count_;
        reserved_.chunks -= part.chunks;
        reserved_.bytes -= part.bytes;
        take_chunks(handle, status, std::move(chunks), from, is_pass);
      });
  if (rows_ != nullptr) rows_->give_way(next_read_within);
  segment.is_reading = true;
  ++reading_count_;
  reserved_.chunks += part.chunks;
  reserved_.bytes += part.bytes;
  call([this, id = segment.entry.head.name.id, from, limit, answer = std::move(answer)] {
    store_.read_chunks(id, from, limit, answer);
  });
}

void ParkedSource::State::take_chunks(const Handle& handle, const StoreStatus& status, std::vector<StoredChunk> chunks,
                                      std::int32_t from, bool is_pass) {
  ParkedSegment* const segment = find(handle);
  if (segment == nullptr) return;
  segment->is_reading = false;
  if (!status.ok()) {
    note_failure("read the chunks of a segment", status);
    segment->again_at = clock_.steady_now() + backoff(++segment->failure_count);
    return;
  }
  segment->failure_count = 0;
  if (!chunks.empty()) base::crash_point("replay.chunks.read");
  if (!is_pass) {  // what was read before and dropped
    const auto first = segment->slots.find(from);
    const bool is_gone = chunks.empty() || chunks.front().position != from;
    if (is_gone && first != segment->slots.end() && first->second.state == ParkedSlot::State::ready) {
      report_once(Error(ErrorCode::not_found, "chunk " + model::to_string(first->second.stored.id) +
                                                  " has gone from Cassandra before it was delivered"));
      --slot_count_;
      segment->lose(from);
    }
  }
  const bool has_no_more = chunks.empty() || chunks.back().position >= positions_max;
  for (StoredChunk& chunk : chunks) {
    if (chunk.position >= positions_max) continue;  // no writer has put it there
    if (is_pass) segment->cursor = std::max(segment->cursor, chunk.position + 1);
    if (is_pass || segment->slots.contains(chunk.position)) take_chunk(*segment, std::move(chunk));
  }
  if (is_pass) {
    const bool is_known_end = segment->entry.sealed_at && segment->cursor >= segment->entry.summary.chunk_count;
    if (has_no_more || is_known_end) segment->end_pass();
    segment->advance();
  }
  wake();
}

void ParkedSource::State::take_chunk(ParkedSegment& segment, StoredChunk chunk) {
  const std::int32_t position = chunk.position;
  if (position < segment.position || segment.settled.contains(position)) return;
  const auto [place, is_new] = segment.slots.try_emplace(position);
  ParkedSlot& slot = place->second;
  if (is_new) {
    ++slot_count_;
    shards_[static_cast<std::size_t>(segment.shard())].held.moved_at = clock_.steady_now();
  }
  if (slot.has_payload()) return;
  if (!is_new && slot.state != ParkedSlot::State::ready) return;
  slot.stored = std::move(chunk);
  // A row without a payload is damaged; unpacking tells.
  if (slot.stored.payload == nullptr) slot.stored.payload = std::make_shared<const std::vector<std::byte>>();
  ++status_.chunks_read;
  is_starving_ = false;  // the dispatcher is asked first whether it takes this one
  ++held_.chunks;
  held_.bytes += slot.bytes();
  chunk_estimate_ = std::max(slot.bytes(), chunk_estimate_ - chunk_estimate_ / 64);
  // It has its verdict from another segment, where its writer could not know that it lay, or from an earlier lease.
  const auto recent = recent_.find(slot.stored.id);
  if (is_new && recent != recent_.end()) settle_slot(segment, position, recent->second);
}

// --- passes and progress -------------------------------------------------------------------------

base::SteadyTime ParkedSource::State::tend_segments(base::SteadyTime now) {
  base::SteadyTime next = base::never;
  for (const auto& [order, segment] : active_) {
    if (segment->again_at > now) next = std::min(next, segment->again_at);
    if (segment->phase != Phase::replaying || !is_valid(shards_[static_cast<std::size_t>(segment->shard())])) continue;
    if (segment->is_at_end && !segment->is_seen() && !segment->is_reading) {
      const bool is_whole = segment->is_whole(now, wait_);
      // While it is not, each look at the directory is followed by one at its gaps.
      const base::SteadyTime look_at = segment->pass_begun_at + options_.scan_interval;
      if (is_whole || now >= look_at) {
        segment->start_pass(is_whole);
        segment->pass_begun_at = now;
      } else {
        next = std::min({next, look_at, segment->unsealed_since.value_or(now) + wait_});
      }
    }
    next = std::min(next, write_progress(*segment, now));
  }
  for (const Shard& shard : shards_) {
    if (!shard.waiting.empty() && shard.waiting.begin()->second->again_at > now)
      next = std::min(next, shard.waiting.begin()->second->again_at);
  }
  return next;
}

base::SteadyTime ParkedSource::State::write_progress(ParkedSegment& segment, base::SteadyTime now) {
  if (segment.is_marking || segment.is_rescued) return base::never;
  const bool is_done = segment.is_finished();
  if (!is_done && segment.position <= segment.written_position) return base::never;
  if (segment.again_at > now) return segment.again_at;
  const bool is_at_once = is_done || is_closing_ || segment.marked_at == base::SteadyTime::min();
  if (!is_at_once && now < segment.marked_at + options_.progress_interval) {
    return segment.marked_at + options_.progress_interval;
  }
  ParkingStore::Progress progress = segment.progress();
  if (is_done) {
    progress.done_at = clock_.wall_now();
    SegmentEntry ended = segment.entry;
    progress.apply_to(ended);
    if (ended.sealed_at) progress.missing = missing_item_count(ended);
  }
  const Handle handle = handle_of(segment);
  auto answer = later<StoreStatus>(
      [this, handle, progress](const StoreStatus& status) { take_marked(handle, status, progress); });
  segment.is_marking = true;
  segment.marked_at = now;
  call([this, name = segment.entry.head.name, progress = std::move(progress), answer = std::move(answer)] {
    base::crash_point("replay.progress.before_write");
    store_.mark_replayed(name, progress, answer);
  });
  return base::never;
}

void ParkedSource::State::take_marked(const Handle& handle, const StoreStatus& status,
                                      const ParkingStore::Progress& written) {
  ParkedSegment* const segment = find(handle);
  if (segment == nullptr) return;
  segment->is_marking = false;
  if (!status.ok()) {
    note_failure("write progress", status);
    segment->again_at = clock_.steady_now() + backoff(++segment->failure_count);
    return;
  }
  segment->failure_count = 0;
  segment->written_position = written.position;
  base::crash_point("replay.progress.written");
  if (!written.done_at) return;
  ++status_.segments_done;
  active_.erase(handle.order);
  segment->phase = Phase::replayed;
  written.apply_to(segment->entry);
  segment->settled.clear();
  tell_missing(segment->entry);
  wake();
  if (!rows_are_missing(*segment)) drop(shards_[static_cast<std::size_t>(handle.shard)], handle.order);
}

// What Cassandra acknowledged and nobody will ever find. Whoever ends the segment says it, once.
void ParkedSource::State::tell_missing(const SegmentEntry& entry) {
  const std::string whose = " of writer " + model::to_string(entry.head.writer) +
                            " are lost: Cassandra had acknowledged them, and has them no more";
  if (entry.missing) {
    if (*entry.missing == 0) return;
    const std::uint64_t chunks = missing_chunk_count(entry);
    status_.lost_chunk_count += chunks;
    report_once(Error(ErrorCode::not_found,
                      std::to_string(*entry.missing) + " items in " + std::to_string(chunks) + " chunks" + whose));
    return;
  }
  // Nobody has said what was in it. Its rows tell; and something was to lie in it, or it would not have been opened.
  if (age_share(entry) < 1) return;
  std::int64_t left = std::max(entry.rows_position, 1) - std::int64_t{entry.replay_position};
  for (const Gaps::Range& gap : entry.gaps.ranges()) left += gap.last - gap.first + 1;
  if (left <= 0) return;
  status_.lost_chunk_count += static_cast<std::uint64_t>(left);
  report_once(Error(ErrorCode::not_found, "up to " + std::to_string(left) + " chunks" + whose));
}

}  // namespace arca::cassandra
