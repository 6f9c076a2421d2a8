// What the dispatcher does with ParkedSource: claims, verdicts, quarantine.
#include <algorithm>
#include <utility>

#include "base/crash_point.hpp"
#include "cassandra/parked_source_state.hpp"

namespace arca::cassandra {
namespace {

constexpr std::size_t recent_max = 1U << 14U;

}  // namespace

// The oldest chunk that may be given now. Metric chunks of a writer leave in the order of their segments and positions,
// which is the order in which the writer sealed them.
ParkedSource::State::Pick ParkedSource::State::pick(model::SignalSet signals, base::SteadyTime now) {
  Pick found;
  load_.reset();
  if (is_closing_) return found;
  std::vector<model::WriterId> behind;  // writers of which an earlier metric chunk is unsettled
  for (const auto& [order, segment] : active_) {
    if (segment->slots.empty() || segment->is_rescued || !is_valid(shards_[static_cast<std::size_t>(segment->shard())]))
      continue;
    for (auto& [position, slot] : segment->slots) {
      if (slot.state == ParkedSlot::State::quarantining) continue;  // it has its verdict
      const model::WriterId writer = slot.stored.id.writer;
      if (slot.stored.signal == model::Signal::metrics) {
        if (std::find(behind.begin(), behind.end(), writer) != behind.end()) continue;
        behind.push_back(writer);
        if (metrics_are_barred(*segment, writer)) continue;
      }
      if (slot.state != ParkedSlot::State::ready || !signals.contains(slot.stored.signal)) continue;
      // It lies in two segments, or an earlier lease has not done with it.
      if (claimed_.contains(slot.stored.id) || is_on_its_way_to_quarantine(slot.stored.id)) continue;
      if (slot.not_before > now) {
        found.next_at = std::min(found.next_at, slot.not_before);
        continue;
      }
      if (!slot.has_payload()) {
        if (!load_) load_ = Place{handle_of(*segment), position};
        continue;
      }
      found.segment = segment;
      found.position = position;
      found.next_at = now;
      return found;
    }
  }
  return found;
}

// Whether metric chunks of the writer may lie in an earlier segment and were not read yet.
bool ParkedSource::State::metrics_are_barred(const ParkedSegment& segment, model::WriterId writer) const {
  const Shard& shard = shards_[static_cast<std::size_t>(segment.shard())];
  for (const auto& [order, earlier] : shard.segments) {
    if (earlier.get() == &segment) return false;
    if (earlier->entry.head.writer == writer && earlier->may_hide_metrics()) return true;
  }
  return false;
}

Result<std::optional<model::Claim>> ParkedSource::State::claim(model::SignalSet signals, base::SteadyTime now) {
  for (;;) {
    std::optional<StoredChunk> stored;
    std::uint32_t attempt_number = 0;
    enter([&] {
      asked_ = signals;
      Pick found = pick(signals, now);
      while (found.segment != nullptr) {
        const auto recent = recent_.find(found.segment->slots.at(found.position).stored.id);
        if (recent == recent_.end()) break;
        settle_slot(*found.segment, found.position, recent->second);  // it has its verdict out of another segment
        found = pick(signals, now);
      }
      is_starving_ = found.segment == nullptr;
      if (is_starving_) {
        read_ahead(clock_.steady_now());
        return;
      }
      ParkedSlot& slot = found.segment->slots.at(found.position);
      claimed_.insert_or_assign(slot.stored.id, Claimed{{handle_of(*found.segment), found.position}, slot.stored});
      slot.state = ParkedSlot::State::claimed;
      attempt_number = ++slot.attempt_count;
      stored = slot.stored;
    });
    if (!stored) return std::nullopt;
    Result<model::Chunk> chunk = unpack(*stored);
    if (chunk) return model::Claim{std::move(*chunk), attempt_number};
    // It blocks nothing: whoever wants to look at it finds it in quarantine.
    enter([&] {
      const auto found = claimed_.find(stored->id);
      if (found == claimed_.end()) return;
      ++status_.damaged_chunk_count;
      report_once(chunk.error().with_context("recovery from Cassandra"));
      quarantine(found->second, stored->item_count, chunk.error().message(), true);
      claimed_.erase(found);
    });
  }
}

Result<void> ParkedSource::State::settle(const model::Ack& ack) {
  Result<void> done = failure(ErrorCode::internal, "the source of parked chunks could not record a verdict");
  enter([&] {
    const auto found = claimed_.find(ack.chunk_id);
    if (found == claimed_.end()) {
      done = failure(ErrorCode::not_found, "chunk " + model::to_string(ack.chunk_id) + " was not claimed");
      return;
    }
    base::crash_point("replay.chunk.delivered");
    const Claimed& claimed = found->second;
    ParkedSegment* const segment = find(claimed.place.handle);
    if (segment != nullptr) shards_[static_cast<std::size_t>(segment->shard())].held.moved_at = clock_.steady_now();
    const std::uint32_t refused =
        ack.verdict == model::Verdict::rejected ? claimed.stored.item_count : ack.refused_item_count;
    if (ack.verdict == model::Verdict::rejected || refused > 0) {
      quarantine(claimed, refused, ack.reason);
    } else {
      remember(ack.chunk_id, 0);
      // Without a segment the lease is lost: whoever has it now sees to the chunk.
      if (segment != nullptr) settle_slot(*segment, claimed.place.position, 0);
    }
    claimed_.erase(found);
    done = {};
    pump(clock_.steady_now());
  });
  return done;
}

void ParkedSource::State::settle_slot(ParkedSegment& segment, std::int32_t position, std::uint32_t quarantined) {
  ParkedSlot& slot = segment.slots.at(position);
  drop_payload(slot);
  --slot_count_;
  segment.settle(position, quarantined);
}

void ParkedSource::State::remember(const model::ChunkId& id, std::uint32_t refused) {
  if (!recent_.emplace(id, refused).second) return;
  recent_order_.push_back(id);
  if (recent_order_.size() <= recent_max) return;
  recent_.erase(recent_order_.front());
  recent_order_.pop_front();
}

void ParkedSource::State::release(const model::ChunkId& id, base::SteadyTime not_before) {
  enter([&] {
    const auto found = claimed_.find(id);
    if (found == claimed_.end()) return;
    const Place place = found->second.place;
    claimed_.erase(found);
    ParkedSegment* const segment = find(place.handle);
    if (segment == nullptr) return;
    ParkedSlot& slot = segment->slots.at(place.position);
    slot.state = ParkedSlot::State::ready;
    slot.not_before = not_before;
    pump(clock_.steady_now());  // whoever waits for it to come back goes on
  });
}

void ParkedSource::State::forget_release_times() {
  enter([&] {
    for (const auto& [order, segment] : active_) {
      for (auto& [position, slot] : segment->slots) slot.not_before = base::SteadyTime::min();
    }
    wake();
  });
}

base::SteadyTime ParkedSource::State::next_claim_at(model::SignalSet signals, base::SteadyTime now) {
  base::SteadyTime next = base::never;
  enter([&] { next = pick(signals, now).next_at; });
  return next;
}

// --- quarantine ----------------------------------------------------------------------------------

// The chunk keeps its slot until Cassandra has acknowledged it: progress does not pass it before. If the lease is lost
// it goes there all the same: the Collector has spoken, and will not be asked again.
void ParkedSource::State::quarantine(const Claimed& claimed, std::uint32_t refused, const std::string& reason,
                                     bool is_damaged) {
  Quarantine job;
  job.place = claimed.place;
  job.number = ++quarantine_count_;
  job.is_damaged = is_damaged;
  job.chunk.chunk = claimed.stored;
  job.chunk.refused_item_count = refused;
  job.chunk.reason = reason;
  job.chunk.at = clock_.wall_now();
  quarantines_.push_back(std::move(job));
  ParkedSegment* const segment = find(claimed.place.handle);
  if (segment != nullptr) segment->slots.at(claimed.place.position).state = ParkedSlot::State::quarantining;
  send_quarantines(clock_.steady_now());
}

bool ParkedSource::State::is_on_its_way_to_quarantine(const model::ChunkId& id) const {
  return std::any_of(quarantines_.begin(), quarantines_.end(),
                     [&id](const Quarantine& job) { return job.chunk.chunk.id == id; });
}

base::SteadyTime ParkedSource::State::send_quarantines(base::SteadyTime now) {
  base::SteadyTime next = base::never;
  for (Quarantine& job : quarantines_) {
    if (job.is_under_way) continue;
    if (job.again_at > now) {
      next = std::min(next, job.again_at);
      continue;
    }
    auto answer = later<StoreStatus>([this, number = job.number](const StoreStatus& status) {
      const auto which = std::find_if(quarantines_.begin(), quarantines_.end(),
                                      [number](const Quarantine& each) { return each.number == number; });
      if (which == quarantines_.end()) return;
      which->is_under_way = false;
      if (!status.ok()) {
        note_failure("put a chunk in quarantine", status);
        which->again_at = clock_.steady_now() + backoff(++which->failure_count);
        return;
      }
      base::crash_point("replay.quarantine.put");
      const Place place = which->place;
      const std::uint32_t refused = which->chunk.refused_item_count;
      if (!which->is_damaged) remember(which->chunk.chunk.id, refused);
      quarantines_.erase(which);
      ParkedSegment* const segment = find(place.handle);
      if (segment != nullptr) settle_slot(*segment, place.position, refused);
      wake();  // under another lease it may be waited for
    });
    job.is_under_way = true;
    call([this, chunk = job.chunk, answer = std::move(answer)] {
      base::crash_point("replay.quarantine.before_put");
      store_.put_quarantined(chunk, answer);
    });
  }
  return next;
}

}  // namespace arca::cassandra
