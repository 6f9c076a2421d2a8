// What comes near the end of its life and could not be delivered is written anew: the chunks of a segment that are left
// go, under their ids, into a new segment of the same writer, which stands at the same place in its order; then the old
// one counts as replayed. Whoever dies on the way leaves both: the chunks may then be sent twice, under one id.
#include <algorithm>
#include <utility>

#include "base/crash_point.hpp"
#include "cassandra/parked_source_state.hpp"

namespace arca::cassandra {
namespace {

constexpr std::uint32_t page_size = 4;  // chunks held at a time, beside what is read ahead

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
  struct Put {
    StoredChunk chunk;
    std::int64_t timestamp_us = 0;
  };
  std::deque<Put> puts;  // read and not yet written
  bool is_under_way = false;
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
  step_rescue(*found->second, now);
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

// Sends what comes next. Each answer leads here again.
void ParkedSource::State::step_rescue(ParkedSegment& segment, base::SteadyTime now) {
  Rescue& rescue = *rescue_;
  const auto go_on = [this, now](Rescue::Step next) {
    rescue_->step = next;
    rescue_->again_at = now;
  };
  // Runs `send` without the lock; `then` takes its answer, if the rescue is still the same one.
  const auto ask = [this, &rescue](auto send, std::function<void()> then) {
    auto answer = later<StoreStatus>([this, self = rescue_, then = std::move(then)](const StoreStatus& status) {
      if (rescue_ != self) return;
      self->is_under_way = false;
      if (status.ok()) {
        self->failure_count = 0;
        then();
      } else {
        note_failure("write anew what is old", status);
        self->again_at = clock_.steady_now() + backoff(++self->failure_count);
      }
    });
    rescue.is_under_way = true;
    call([send = std::move(send), answer = std::move(answer)] { send(answer); });
  };
  switch (rescue.step) {
    case Rescue::Step::wait: {
      if (segment.phase != Phase::replaying) return;
      segment.is_rescued = true;
      const bool is_busy = segment.is_reading || segment.is_marking ||
                           std::any_of(segment.slots.begin(), segment.slots.end(),
                                       [](const auto& each) { return each.second.state != ParkedSlot::State::ready; });
      if (is_busy) return;  // their answers lead here
      forget_slots(segment);
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
    case Rescue::Step::put: {
      const Rescue::Put& put = rescue.puts.front();
      return ask([this, name = rescue.head.name,
                  put](const StoreDone& done) { store_.put_chunk(name, put.chunk, put.timestamp_us, done); },
                 [this, go_on] {
                   base::crash_point("rescue.chunk.put");
                   ++status_.rewritten_chunk_count;
                   rescue_->puts.pop_front();
                   if (rescue_->puts.empty()) go_on(Rescue::Step::read);
                 });
    }
    case Rescue::Step::seal:
      return ask([this, name = rescue.head.name, at = rescue.sealed_at,
                  summary = rescue.summary](const StoreDone& done) { store_.seal_segment(name, at, summary, done); },
                 [go_on] { go_on(Rescue::Step::mark); });
    case Rescue::Step::mark: {
      base::crash_point("rescue.segment.sealed");
      ParkingStore::Progress progress;
      progress.position = rescue.cursor;
      progress.done_at = clock_.wall_now();
      progress.quarantined_items = segment.quarantined_items;
      for (const auto& [position, settled] : segment.settled)
        progress.quarantined_items[model::index_of(settled.signal)] += settled.quarantined_items;
      return ask([this, name = segment.entry.head.name,
                  progress](const StoreDone& done) { store_.mark_replayed(name, progress, done); },
                 [this] { end_rescue(); });
    }
  }
}

void ParkedSource::State::read_rescued(const ParkedSegment& segment) {
  auto answer = later<StoreStatus, std::vector<StoredChunk>>(
      [this, self = rescue_](const StoreStatus& status, const std::vector<StoredChunk>& chunks) {
        if (rescue_ == self) take_rescued(status, chunks);
      });
  rescue_->is_under_way = true;
  call([this, id = segment.entry.head.name.id, from = rescue_->cursor, answer = std::move(answer)] {
    store_.read_chunks(id, from, page_size, answer);
  });
}

void ParkedSource::State::take_rescued(const StoreStatus& status, const std::vector<StoredChunk>& chunks) {
  Rescue& rescue = *rescue_;
  rescue.is_under_way = false;
  if (!status.ok()) {
    note_failure("read what is old", status);
    rescue.again_at = clock_.steady_now() + backoff(++rescue.failure_count);
    return;
  }
  rescue.failure_count = 0;
  if (chunks.empty()) {
    rescue.sealed_at = clock_.wall_now();
    rescue.step = Rescue::Step::seal;
    return;
  }
  const auto found = shards_[static_cast<std::size_t>(rescue.shard)].segments.find(rescue.order);
  if (found == shards_[static_cast<std::size_t>(rescue.shard)].segments.end()) return;
  for (const StoredChunk& chunk : chunks) {
    rescue.cursor = chunk.position + 1;
    if (found->second->settled.contains(chunk.position)) continue;
    Rescue::Put put{chunk, microseconds_of(clock_.wall_now())};
    put.chunk.position = rescue.summary.chunk_count++;
    if (model::index_of(chunk.signal) < model::signal_count)
      rescue.summary.item_count[model::index_of(chunk.signal)] += chunk.item_count;
    rescue.summary.raw_bytes += chunk.raw_size;
    rescue.summary.stored_bytes += chunk.payload == nullptr ? 0 : chunk.payload->size();
    rescue.puts.push_back(std::move(put));
  }
  if (!rescue.puts.empty()) rescue.step = Rescue::Step::put;
}

void ParkedSource::State::end_rescue() {
  Shard& shard = shards_[static_cast<std::size_t>(rescue_->shard)];
  const SegmentOrder order = rescue_->order;
  base::crash_point("rescue.segment.replaced");
  rescues_.erase(rescue_->head.name.id);
  rescue_.reset();
  active_.erase(order);
  if (const auto found = shard.segments.find(order); found != shard.segments.end()) drop(shard, order);
  scan_at_ = clock_.steady_now();  // the new one is found there
}

}  // namespace arca::cassandra
