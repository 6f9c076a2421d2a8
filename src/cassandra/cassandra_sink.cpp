#include "cassandra/cassandra_sink.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "base/crash_point.hpp"
#include "cassandra/cassandra_sink_state.hpp"

namespace arca::cassandra {
namespace {

using model::Verdict;

constexpr base::Duration first_backoff = std::chrono::milliseconds(50);
constexpr base::Duration longest_backoff = std::chrono::seconds(1);
constexpr base::Duration refusal_pause = std::chrono::seconds(5);  // somebody has to act first
constexpr base::Duration window_pause = std::chrono::milliseconds(20);
constexpr std::uint64_t typical_bytes = 64U << 10U;  // of a packed chunk
constexpr std::uint32_t not_sent_max = 3;            // then it is no window that is full, but a cluster that is away
constexpr std::uint32_t anew_max = 3;                // a process that is frozen again and again

std::int64_t microseconds_of(base::WallTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

// Compressed it is read slice by slice; for the facts they have to lie together.
RequestFacts read_facts(const model::Chunk& chunk) {
  const auto slices = chunk.payload.slices();
  if (slices.size() == 1) return facts_of(chunk.signal, slices.front());
  return facts_of(chunk.signal, chunk.payload.flatten());
}

}  // namespace

std::string advice_of(const StoreStatus& status) {
  switch (status.refusal) {
    case Refusal::authentication:
      return fmt::format("Cassandra refuses: {}; check user, password and permissions", status.message);
    case Refusal::tls:
      return fmt::format("Cassandra refuses: {}; check the certificates", status.message);
    case Refusal::schema:
      return fmt::format("Cassandra refuses: {}; run `arca schema apply`", status.message);
    case Refusal::none:
    case Refusal::invalid:
    case Refusal::usage:
      break;
  }
  return fmt::format("Cassandra refuses: {}; `arca schema check` may tell why", status.message);
}

void ParkingSegment::note_services(const ParkingDelivery& delivery) {
  constexpr std::size_t more_than_told = 65;
  for (const std::string& service : delivery.facts.services)
    if (services.size() < more_than_told) services.insert(service);
}

void ParkingSegment::count(const ParkingDelivery& delivery) noexcept {
  ++chunk_count;
  uncounted.erase(delivery.stored.position);
  summary.item_count[model::index_of(delivery.stored.signal)] += delivery.stored.item_count;
  summary.raw_bytes += delivery.stored.raw_size;
  summary.stored_bytes += delivery.stored.payload->size();
  const RequestFacts& facts = delivery.facts;
  const base::WallTime first = facts.time_min.value_or(delivery.stored.sealed_at);
  const base::WallTime last = facts.time_max.value_or(delivery.stored.sealed_at);
  summary.time_min = std::min(summary.time_min.value_or(first), first);
  summary.time_max = std::max(summary.time_max.value_or(last), last);
}

SegmentSummary ParkingSegment::final_summary() const {
  SegmentSummary all = summary;
  all.chunk_count = next_position;
  for (const auto& [position, chunk] : uncounted) all.uncounted.push_back(chunk);
  if (services.size() <= 64) all.services.assign(services.begin(), services.end());
  return all;
}

CassandraSink::State::State(ParkingStore& store, RowWriter* rows, os::Clock& clock, os::Random& random,
                            CassandraSinkOptions options)
    : store_(store),
      rows_(rows),
      clock_(clock),
      random_(random),
      options_(std::move(options)),
      taking_time_(options_.lifetime * 2 / 3),
      stripes_(std::max<std::uint32_t>(1, options_.stripe_count)) {}

model::Readiness CassandraSink::State::readiness(base::SteadyTime now) const noexcept {
  if (in_flight_.load(std::memory_order_relaxed) >= options_.in_flight_max) return {false, base::never};
  if (!store_.has_window(typical_bytes)) return {false, now + window_pause};
  return {};
}

// --- one chunk -----------------------------------------------------------------------------------

void CassandraSink::State::submit(const model::Chunk& chunk, model::AckCallback& done) {
  auto packed = pack(chunk);
  if (!packed) {
    model::Ack ack = model::not_sent_for_want_of_memory(chunk.id);
    ack.reason = packed.error().message();
    done(std::move(ack));
    return;
  }
  auto delivery = std::make_shared<ParkingDelivery>();
  delivery->stored = std::move(*packed);
  delivery->facts = read_facts(chunk);
  delivery->begun_at = clock_.steady_now();
  Later later;
  {
    const std::lock_guard lock(mutex_);
    deliveries_.insert(delivery);
    in_flight_.fetch_add(1, std::memory_order_relaxed);
    try {
      place(delivery, later);
    } catch (...) {
      deliveries_.erase(delivery);
      in_flight_.fetch_sub(1, std::memory_order_relaxed);
      throw;
    }
    delivery->done = std::move(done);  // from here on it answers, not the caller
  }
  later.run();
}

// What may run out of memory comes first: after that the chunk belongs to the segment, before it it does not.
void CassandraSink::State::place(const Delivery& delivery, Later& later) {
  const Segment segment = segment_for(delivery->stored.signal, later);
  const std::int32_t position = segment->next_position;
  segment->uncounted.insert_or_assign(position,
                                      UncountedChunk{position, delivery->stored.signal, delivery->stored.item_count});
  if (segment->is_opened) {
    send(delivery, segment, later);
  } else {
    segment->queue.push_back(delivery);
  }
  delivery->segment = segment;
  delivery->stored.position = position;
  delivery->timestamp_us = microseconds_of(clock_.wall_now());
  delivery->failure_count = 0;
  ++segment->next_position;
  ++segment->under_way_count;
  segment->asked_bytes += delivery->stored.payload->size();
  segment->last_used_at = clock_.steady_now();
}

void CassandraSink::State::send(const Delivery& delivery, const Segment& segment, Later& later) {
  later.add([self = shared_from_this(), delivery, segment] {
    const auto take = [self, delivery](const StoreStatus& status) { self->take_answer(delivery, status); };
    ask([&] { self->store_.put_chunk(segment->head.name, delivery->stored, delivery->timestamp_us, take); }, take);
    base::crash_point("park.chunk.sent");
  });
  delivery->retry_at.reset();
  delivery->is_under_way = true;
}

void CassandraSink::State::take_answer(const Delivery& delivery, const StoreStatus& status) noexcept {
  const bool ended_well = guarded([&](Later& later) {
    delivery->is_under_way = false;
    if (delivery->is_answered) {  // cancelled meanwhile: whoever cancelled parks it again
      detach(delivery, later);
    } else if (status.ok()) {
      take_acknowledged(delivery, later);
    } else {
      take_failure(delivery, status, later);
    }
  });
  if (!ended_well) abandon(delivery);
}

// Memory ran out in the middle of an answer. The chunk may lie in Cassandra, but unless it was answered nobody counts
// it. Its segment is sealed by tend().
void CassandraSink::State::abandon(const Delivery& delivery) noexcept {
  model::Ack ack = model::not_sent_for_want_of_memory(delivery->stored.id);
  ack.verdict = Verdict::unknown;
  {
    const std::lock_guard lock(mutex_);
    if (deliveries_.erase(delivery) > 0) {
      in_flight_.fetch_sub(1, std::memory_order_relaxed);
      --delivery->segment->under_way_count;
    }
    if (std::exchange(delivery->is_answered, true)) return;
  }
  delivery->done(std::move(ack));
}

void CassandraSink::State::take_acknowledged(const Delivery& delivery, Later& later) {
  const Segment segment = delivery->segment;
  if (age_of(*segment) >= options_.lifetime) {
    // A recoverer may have read the segment before this chunk was in it.
    close(segment, later);
    if (delivery->anew_count >= anew_max) {
      answer(delivery, Verdict::unknown, "Cassandra's answers come too late", later);
      detach(delivery, later);
      return;
    }
    delivery->was_unknown = true;  // it lies where it may or may not be found
    ++delivery->anew_count;
    ++account_.parked_anew_count;
    place(delivery, later);
    --segment->under_way_count;
    seal_if_quiet(segment, later);
    return;
  }
  base::crash_point("park.chunk.acknowledged");
  // What may run out of memory comes first: either it is answered and counted, or neither.
  const StoredChunk& stored = delivery->stored;
  segment->note_services(*delivery);
  // Under the lock, so that the row writer has every chunk before it is told of the segment's end. It calls nobody.
  if (rows_ != nullptr) rows_->add(segment->head.name, stored);
  answer(delivery, Verdict::parked, {}, later);
  if (stored.signal == model::Signal::metrics && !segment->holds(model::Signal::metrics) &&
      options_.purpose == Purpose::overflow)
    metric_segments_.fetch_add(1, std::memory_order_release);
  segment->count(*delivery);
  account_.parked[model::index_of(stored.signal)] += stored.item_count;
  account_.stored_bytes += stored.payload->size();
  account_.raw_bytes += stored.raw_size;
  ++account_.chunk_count;
  detach(delivery, later);
}

std::optional<base::SteadyTime> CassandraSink::State::retry_time_of(const StoreStatus& status, bool was_unknown,
                                                                    base::SteadyTime begun_at,
                                                                    std::uint32_t failure_count,
                                                                    const ParkingSegment& segment) {
  if (status.outcome == Outcome::refused) return std::nullopt;
  const base::SteadyTime now = clock_.steady_now();
  const base::Duration wait = backoff(failure_count);
  if (age_of(segment) + wait >= options_.lifetime) return std::nullopt;
  if (!was_unknown) {
    if (status.outcome == Outcome::not_sent && failure_count > not_sent_max) return std::nullopt;
    if (now + wait - begun_at > options_.retry_time) return std::nullopt;
  }
  return now + wait;
}

void CassandraSink::State::take_failure(const Delivery& delivery, const StoreStatus& status, Later& later) {
  if (status.outcome == Outcome::unknown) delivery->was_unknown = true;
  ++delivery->failure_count;
  delivery->retry_at =
      retry_time_of(status, delivery->was_unknown, delivery->begun_at, delivery->failure_count, *delivery->segment);
  if (delivery->retry_at) return;  // tend() sends it again
  const bool is_refused = status.outcome == Outcome::refused;
  answer(delivery, delivery->was_unknown ? Verdict::unknown : Verdict::retry,
         is_refused ? advice_of(status) : "Cassandra: " + status.message, later,
         is_refused ? std::optional(refusal_pause) : std::nullopt);
  detach(delivery, later);
}

void CassandraSink::State::answer(const Delivery& delivery, Verdict verdict, std::string reason, Later& later,
                                  std::optional<base::Duration> retry_after) {
  model::Ack ack;
  ack.chunk_id = delivery->stored.id;
  ack.verdict = verdict;
  ack.tier = verdict == Verdict::parked ? model::Tier::cassandra : model::Tier::none;
  ack.retry_after = retry_after;
  ack.reason = std::move(reason);
  later.add([delivery, ack = std::move(ack)]() mutable { delivery->done(std::move(ack)); });
  delivery->is_answered = true;
}

// The segment and the window have done with it.
void CassandraSink::State::detach(const Delivery& delivery, Later& later) {
  const Segment segment = delivery->segment;
  if (deliveries_.erase(delivery) == 0) return;
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
  --segment->under_way_count;
  seal_if_quiet(segment, later);
}

void CassandraSink::State::cancel_all() {
  guarded([&](Later& later) {
    const std::vector<Delivery> all(deliveries_.begin(), deliveries_.end());
    for (const Delivery& delivery : all) {
      if (!delivery->is_answered) answer(delivery, Verdict::unknown, "cancelled", later);
      if (!delivery->is_under_way) detach(delivery, later);
    }
  });
}

base::Duration CassandraSink::State::backoff(std::uint32_t failure_count) noexcept {
  const std::uint32_t doublings = std::min<std::uint32_t>(failure_count > 0 ? failure_count - 1 : 0, 10);
  const base::Duration full = std::min<base::Duration>(first_backoff * (1U << doublings), longest_backoff);
  const auto half = static_cast<std::uint64_t>(full.count() / 2);
  return base::Duration(static_cast<std::int64_t>(half + random_.next() % (half + 1)));
}

// --- the sink ------------------------------------------------------------------------------------

CassandraSink::CassandraSink(ParkingStore& store, RowWriter* rows, os::Clock& clock, os::Random& random,
                             CassandraSinkOptions options)
    : state_(std::make_shared<State>(store, rows, clock, random, std::move(options))) {}

CassandraSink::~CassandraSink() { cancel_all(); }

model::Readiness CassandraSink::readiness(model::Signal /*signal*/, base::SteadyTime now) noexcept {
  return state_->readiness(now);
}

void CassandraSink::submit(model::Chunk chunk, model::AckCallback done) noexcept {
  const model::ChunkId id = chunk.id;
  try {
    state_->submit(chunk, done);
  } catch (const std::exception&) {
    if (done) done(model::not_sent_for_want_of_memory(id));
  }
}

void CassandraSink::cancel_all() noexcept { state_->cancel_all(); }
base::SteadyTime CassandraSink::tend(base::SteadyTime now) { return state_->tend(now); }
void CassandraSink::close_all() { state_->close_all(); }
bool CassandraSink::seal_all(base::SteadyTime deadline, const std::stop_token& stop) {
  return state_->seal_all(deadline, stop);
}
bool CassandraSink::holds_metrics() const noexcept { return state_->holds_metrics(); }
ParkedAccount CassandraSink::account() const { return state_->account(); }

}  // namespace arca::cassandra
