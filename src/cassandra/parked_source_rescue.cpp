// What comes near the end of its life and could not be delivered is written anew: the chunks of a segment that are left
// go, under their ids, into a new segment of the same writer, which stands at the same place in its order; then the old
// one counts as replayed. Whoever dies on the way leaves both: the chunks may then be sent twice, under one id.
#include <algorithm>
#include <utility>

#include "base/crash_point.hpp"
#include "cassandra/parked_source_state.hpp"
#include "cassandra/segment_account.hpp"

namespace arca::cassandra {
namespace {

constexpr std::uint64_t chunks_max = 16;  // chunks held at a time, beside what is read ahead; all of them on their way

std::int64_t microseconds_of(base::WallTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

}  // namespace

struct ParkedSource::State::Rescue {
  enum class Step : std::uint8_t { wait, open, read, put, seal, mark } step = Step::wait;
  std::int16_t shard = 0;
  std::int64_t epoch = 0;
  SegmentOrder order;
  SegmentHead head;  // of the new one
  SegmentSummary summary;
  std::int32_t cursor = 0;
  base::WallTime sealed_at{};
  SegmentEntry ended;  // the old one, as the directory will have it
  struct Put {
    StoredChunk chunk;
    std::int64_t timestamp_us = 0;
    bool is_under_way = false;
  };
  std::map<std::int32_t, Put> puts;  // read and not yet written, by their new positions
  bool is_under_way = false;         // what is asked in the other steps
  std::uint32_t failure_count = 0;
  base::SteadyTime again_at = base::SteadyTime::min();
};

base::SteadyTime ParkedSource::State::tend_rescue(base::SteadyTime now) {
  if (!rescue_ && !begin_rescue(now)) return base::never;
  Rescue& rescue = *rescue_;
  if (rescue.is_under_way) return base::never;
  const Shard& shard = shards_[static_cast<std::size_t>(rescue.shard)];
  const auto found = shard.segments.find(rescue.order);
  const bool is_ours = is_valid(shard) && shard.held.epoch == rescue.epoch && found != shard.segments.end();
  if (!is_ours || found->second->phase == Phase::waiting || found->second->phase == Phase::replayed) {
    rescues_.erase(rescue.head.name.id);
    rescue_.reset();
    return now + std::chrono::seconds(1);
  }
  if (rescue.again_at > now) return rescue.again_at;
  step_rescue(*found->second);
  return base::never;
}

bool ParkedSource::State::begin_rescue(base::SteadyTime now) {
  for (Shard& shard : shards_) {
    if (!is_valid(shard)) continue;
    for (const auto& [order, segment] : shard.segments) {
      const double age = age_share(segment->entry);
      const bool is_due = segment->is_undone() && segment->is_whole(now, wait_) && segment->again_at <= now &&
                          age >= options_.ttl_rewrite && age < 1;
      if (!is_due) continue;
      auto rescue = std::make_shared<Rescue>();
      rescue->shard = shard.number;
      rescue->epoch = shard.held.epoch;
      rescue->order = order;
      rescue->head = segment->entry.head;
      rescue->head.name.bucket = bucket_of(clock_.wall_now());  // the row of the old one ends with the old ones
      rescue->head.name.id = random_uuid(random_);
      rescues_.insert(rescue->head.name.id);
      rescue_ = std::move(rescue);
      if (segment->phase == Phase::waiting) open_segment(shard, *segment);
      return true;
    }
  }
  return false;
}

// Whether what was asked went well. Each answer leads to step_rescue() again. As long as it goes on the lease is of
// use.
bool ParkedSource::State::take_rescue_answer(const StoreStatus& status, const char* what) {
  const base::SteadyTime now = clock_.steady_now();
  if (!status.ok()) {
    note_failure(what, status);
    rescue_->again_at = now + backoff(++rescue_->failure_count);
    return false;
  }
  rescue_->failure_count = 0;
  shards_[static_cast<std::size_t>(rescue_->shard)].held.moved_at = now;
  return true;
}

// Sends what comes next.
void ParkedSource::State::step_rescue(ParkedSegment& segment) {
  Rescue& rescue = *rescue_;
  // Runs `send` without the lock; `then` takes its answer, if the rescue is still the same one.
  const auto ask = [this, &rescue](auto send, std::function<void()> then) {
    auto answer = later<StoreStatus>([this, self = rescue_, then = std::move(then)](const StoreStatus& status) {
      if (rescue_ != self) return;
      self->is_under_way = false;
      if (take_rescue_answer(status, "write anew what is old")) then();
    });
    rescue.is_under_way = true;
    call([send = std::move(send), answer = std::move(answer)] { send(answer); });
  };
  const auto go_on = [this](Rescue::Step next) { rescue_->step = next; };
  switch (rescue.step) {
    case Rescue::Step::wait: {
      if (segment.phase != Phase::replaying) return;
      segment.is_rescued = true;
      const bool is_busy = segment.is_reading || segment.is_marking ||
                           std::any_of(segment.slots.begin(), segment.slots.end(),
                                       [](const auto& each) { return each.second.state != ParkedSlot::State::ready; });
      if (is_busy) return;  // their answers lead here
      forget_slots(segment);
      segment.start_pass(true);
      rescue.cursor = segment.position;
      rescue.summary.time_min = segment.entry.summary.time_min;
      rescue.summary.time_max = segment.entry.summary.time_max;
      go_on(Rescue::Step::open);
      [[fallthrough]];
    }
    case Rescue::Step::open:
      return ask([this, head = rescue.head](const StoreDone& done) { store_.open_segment(head, done); },
                 [go_on] { go_on(Rescue::Step::read); });
    case Rescue::Step::read:
      return read_rescued(segment);
    case Rescue::Step::put:
      return put_rescued();
    case Rescue::Step::seal:
      return ask([this, name = rescue.head.name, at = rescue.sealed_at,
                  summary = rescue.summary](const StoreDone& done) { store_.seal_segment(name, at, summary, done); },
                 [go_on] { go_on(Rescue::Step::mark); });
    case Rescue::Step::mark: {
      base::crash_point("rescue.segment.sealed");
      const ParkingStore::Progress progress = end_of_rescued(segment);
      rescue.ended = segment.entry;
      progress.apply_to(rescue.ended);
      return ask([this, name = segment.entry.head.name,
                  progress](const StoreDone& done) { store_.mark_replayed(name, progress, done); },
                 [this] { end_rescue(); });
    }
  }
}

// What was moved is no longer in it, and counts neither as found nor as missing.
ParkingStore::Progress ParkedSource::State::end_of_rescued(ParkedSegment& segment) {
  segment.cursor = rescue_->cursor;
  segment.end_pass();
  segment.advance();
  ParkingStore::Progress progress = segment.progress();
  progress.done_at = clock_.wall_now();
  progress.moved_to = rescue_->head.name;
  if (!segment.knew_its_seal) return progress;
  SegmentEntry ended = segment.entry;
  progress.apply_to(ended);
  for (std::size_t i = 0; i < model::signal_count; ++i) ended.replayed_items[i] += rescue_->summary.item_count[i];
  progress.missing = missing_item_count(ended);
  return progress;
}

void ParkedSource::State::read_rescued(const ParkedSegment& segment) {
  auto answer = later<StoreStatus, std::vector<StoredChunk>>(
      [this, self = rescue_](const StoreStatus& status, const std::vector<StoredChunk>& chunks) {
        if (rescue_ == self) take_rescued(status, chunks);
      });
  rescue_->is_under_way = true;
  const auto fitting = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(
      options_.read_ahead_bytes / 2 / std::max<std::uint64_t>(1, chunk_estimate_), 1, chunks_max));
  call([this, id = segment.entry.head.name.id, from = rescue_->cursor, fitting, answer = std::move(answer)] {
    store_.read_chunks(id, from, fitting, answer);
  });
}

void ParkedSource::State::take_rescued(const StoreStatus& status, const std::vector<StoredChunk>& chunks) {
  Rescue& rescue = *rescue_;
  rescue.is_under_way = false;
  if (!take_rescue_answer(status, "read what is old")) return;
  if (chunks.empty() || chunks.front().position >= positions_max) {
    rescue.sealed_at = clock_.wall_now();
    rescue.step = Rescue::Step::seal;
    return;
  }
  auto& segments = shards_[static_cast<std::size_t>(rescue.shard)].segments;
  const auto found = segments.find(rescue.order);
  if (found == segments.end()) return;
  ParkedSegment& segment = *found->second;
  for (const StoredChunk& chunk : chunks) {
    if (chunk.position >= positions_max) break;
    rescue.cursor = chunk.position + 1;
    // What its writer does not count it has parked elsewhere, or kept: it is left behind.
    if (segment.settled.contains(chunk.position) || does_not_count(segment.entry, chunk.position)) continue;
    segment.settled.emplace(chunk.position, ParkedSegment::Settled{});
    const std::int32_t position = rescue.summary.chunk_count++;
    Rescue::Put& put = rescue.puts[position];
    put.chunk = chunk;
    put.chunk.position = position;
    put.timestamp_us = microseconds_of(clock_.wall_now());
    if (model::index_of(chunk.signal) < model::signal_count)
      rescue.summary.item_count[model::index_of(chunk.signal)] += chunk.item_count;
    rescue.summary.raw_bytes += chunk.raw_size;
    rescue.summary.stored_bytes += chunk.payload == nullptr ? 0 : chunk.payload->size();
  }
  if (!rescue.puts.empty()) rescue.step = Rescue::Step::put;
}

void ParkedSource::State::put_rescued() {
  for (auto& [position, put] : rescue_->puts) {
    if (put.is_under_way) continue;
    auto answer = later<StoreStatus>([this, self = rescue_, position = position](const StoreStatus& status) {
      if (rescue_ != self) return;
      self->puts.at(position).is_under_way = false;
      if (!take_rescue_answer(status, "write anew what is old")) return;
      base::crash_point("rescue.chunk.put");
      ++status_.rewritten_chunk_count;
      self->puts.erase(position);
      if (self->puts.empty()) self->step = Rescue::Step::read;
    });
    put.is_under_way = true;
    call([this, name = rescue_->head.name, chunk = put.chunk, at = put.timestamp_us, answer = std::move(answer)] {
      store_.put_chunk(name, chunk, at, answer);
    });
  }
}

void ParkedSource::State::end_rescue() {
  Shard& shard = shards_[static_cast<std::size_t>(rescue_->shard)];
  const SegmentOrder order = rescue_->order;
  base::crash_point("rescue.segment.replaced");
  tell_missing(rescue_->ended);
  rescues_.erase(rescue_->head.name.id);
  rescue_.reset();
  drop(shard, order);
  scan_at_ = clock_.steady_now();  // the new one is found there
}

}  // namespace arca::cassandra
