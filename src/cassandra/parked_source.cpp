#include "cassandra/parked_source.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "cassandra/parked_source_state.hpp"
#include "os/log.hpp"

namespace arca::cassandra {
namespace {

constexpr base::Duration first_backoff = std::chrono::milliseconds(100);
constexpr base::Duration longest_backoff = std::chrono::seconds(5);
constexpr std::uint64_t first_estimate = 256U << 10U;  // of a chunk, packed and not

}  // namespace

ParkedSource::State::State(ParkingStore& store, RowWriter* rows, os::Clock& clock, os::Random& random,
                           ParkedSourceOptions options)
    : store_(store),
      rows_(rows),
      clock_(clock),
      random_(random),
      options_(std::move(options)),
      owner_(random_uuid(random)),
      wait_(options_.lifetime + options_.margin),
      // Recoverers that start together don't scan together.
      scan_at_(clock.steady_now() + base::Duration(static_cast<std::int64_t>(
                                        draw() * static_cast<double>(options_.scan_interval.count()) / 5))),
      chunk_estimate_(first_estimate) {
  for (std::int16_t i = 0; i < shard_count; ++i) shards_[static_cast<std::size_t>(i)].number = i;
}

void ParkedSource::State::after_answer() {
  if (pump(clock_.steady_now()) < told_wake_) wake();
}

void ParkedSource::State::after_failure(const char* what) noexcept {
  try {
    report_once(Error(ErrorCode::internal, std::string("recovery from Cassandra: ") + what));
  } catch (const std::exception&) {
    // No memory even for that.
  }
}

// Everything that can be done now; when to call again if nothing happens.
base::SteadyTime ParkedSource::State::pump(base::SteadyTime now) {
  if (options_.only_looks) return is_closing_ ? base::never : tend_scan(now);
  base::SteadyTime next = tend_leases(now);
  next = std::min(next, send_quarantines(now));
  next = std::min(next, tend_segments(now));
  if (!is_closing_) {
    next = std::min(next, tend_scan(now));
    read_ahead(now);
    next = std::min(next, tend_rescue(now));
    next = std::min(next, tend_rows(now));
  }
  return next;
}

ParkedSegment* ParkedSource::State::find(const Handle& handle) {
  auto& segments = shards_[static_cast<std::size_t>(handle.shard)].segments;
  const auto found = segments.find(handle.order);
  if (found == segments.end() || found->second->generation != handle.generation) return nullptr;
  return found->second.get();
}

double ParkedSource::State::draw() noexcept { return static_cast<double>(random_.next() >> 11U) * 0x1.0p-53; }

base::Duration ParkedSource::State::stretched(base::Duration time) noexcept {
  return base::Duration(static_cast<std::int64_t>(static_cast<double>(time.count()) * (0.75 + 0.5 * draw())));
}

base::Duration ParkedSource::State::backoff(std::uint32_t failure_count) noexcept {
  const std::uint32_t doublings = std::min<std::uint32_t>(failure_count > 0 ? failure_count - 1 : 0, 10);
  const base::Duration full = std::min<base::Duration>(first_backoff * (1U << doublings), longest_backoff);
  return stretched(full);
}

// What is tried again is not told to people at each try; the status shows it.
void ParkedSource::State::note_failure(const char* what, const StoreStatus& status) {
  if (status.outcome == Outcome::not_sent) return;  // a full window, or no connection, which others show
  status_.last_error = std::string(what) + ": " + status.message;
  if (status.outcome == Outcome::refused) {
    report_once(Error(ErrorCode::unavailable, "recovery from Cassandra: " + status_.last_error));
  }
}

void ParkedSource::State::report_once(const Error& error) {
  status_.last_error = error.message();
  if (std::exchange(reported_, error.message()) == error.message()) return;
  call([report = options_.report, error] {
    if (report) {
      report(error);
    } else {
      os::log(os::LogLevel::warn, "{} ({})", error.message(), to_string(error.code()));
    }
  });
}

// --- the outside ---------------------------------------------------------------------------------

base::SteadyTime ParkedSource::State::tend(base::SteadyTime now) {
  base::SteadyTime next = now + std::chrono::seconds(1);  // if it fails
  enter([&] {
    told_wake_ = base::SteadyTime::min();
    next = told_wake_ = pump(now);
  });
  return next;
}

bool ParkedSource::State::close(base::SteadyTime deadline) {
  for (;;) {
    bool is_closed = false;
    const base::SteadyTime now = clock_.steady_now();
    enter([&] {
      is_closing_ = true;
      pump(now);
    });
    std::unique_lock lock(mutex_);
    is_closed = std::all_of(shards_.begin(), shards_.end(),
                            [](const Shard& shard) { return shard.held.state == Holding::State::none; });
    if (is_closed) return true;
    if (now >= deadline) break;
    changed_.wait_for(lock, std::chrono::milliseconds(5));
  }
  // What could not be written is delivered again by the next holder, who need not wait for the lease to end.
  enter([&] {
    for (Shard& shard : shards_) {
      if (shard.held.state == Holding::State::held) give_back(shard, base::never);
    }
  });
  return false;
}

void ParkedSource::State::scan_now() {
  enter([&] {
    scan_wanted_ = scan_.number + 1;
    scan_at_ = clock_.steady_now();
    // Whoever paused because nothing moved has no reason to any more.
    for (Shard& shard : shards_) {
      if (shard.held.state == Holding::State::none) shard.held.again_at = base::SteadyTime::min();
    }
    wake();
  });
}

bool ParkedSource::State::is_drained() const {
  const std::lock_guard lock(mutex_);
  if (last_whole_scan_ < scan_wanted_) return false;
  for (const Shard& shard : shards_) {
    for (const auto& [time, bucket] : shard.buckets) {
      if (bucket.rest.chunk_count > 0) return false;
    }
    for (const auto& [order, segment] : shard.segments) {
      if (segment->is_undone()) return false;
    }
  }
  return true;
}

ParkedSourceStatus ParkedSource::State::status() const {
  const std::lock_guard lock(mutex_);
  ParkedSourceStatus made = status_;
  made.near_ttl = false;
  for (const Shard& shard : shards_) {
    if (shard.held.state == Holding::State::held) ++made.leases_held;
    for (const auto& [order, segment] : shard.segments) {
      if (!segment->is_undone()) continue;
      ++made.segments_known;
      if (!segment->entry.sealed_at && !segment->is_last_pass) ++made.segments_waiting;
      made.oldest = std::min(made.oldest.value_or(order.opened_at), order.opened_at);
      made.near_ttl = made.near_ttl || age_share(segment->entry) >= options_.ttl_alarm;
    }
  }
  return made;
}

model::Backlog ParkedSource::State::backlog() const {
  const std::lock_guard lock(mutex_);
  model::Backlog all;
  const auto add = [&all](const model::Backlog& part) {
    all.chunk_count += part.chunk_count;
    all.bytes += part.bytes;
    for (std::size_t i = 0; i < model::signal_count; ++i) all.item_count[i] += part.item_count[i];
    if (part.oldest) all.oldest = std::min(all.oldest.value_or(*part.oldest), *part.oldest);
  };
  for (const Shard& shard : shards_) {
    for (const auto& [time, bucket] : shard.buckets) add(bucket.rest);
    for (const auto& [order, segment] : shard.segments) add(segment->backlog());
  }
  return all;
}

ParkedSource::ParkedSource(ParkingStore& store, RowWriter* rows, os::Clock& clock, os::Random& random,
                           ParkedSourceOptions options)
    : state_(std::make_shared<State>(store, rows, clock, random, std::move(options))) {}

ParkedSource::~ParkedSource() { state_->stop(); }

base::SteadyTime ParkedSource::tend(base::SteadyTime now) { return state_->tend(now); }
bool ParkedSource::close(base::SteadyTime deadline) { return state_->close(deadline); }
void ParkedSource::scan_now() { state_->scan_now(); }
bool ParkedSource::is_drained() const { return state_->is_drained(); }
ParkedSourceStatus ParkedSource::status() const { return state_->status(); }
Result<std::optional<model::Claim>> ParkedSource::claim(model::SignalSet signals, base::SteadyTime now) {
  return state_->claim(signals, now);
}
Result<void> ParkedSource::settle(const model::Ack& ack) { return state_->settle(ack); }
void ParkedSource::release(const model::ChunkId& id, base::SteadyTime not_before) { state_->release(id, not_before); }
void ParkedSource::forget_release_times() { state_->forget_release_times(); }
base::SteadyTime ParkedSource::next_claim_at(model::SignalSet signals, base::SteadyTime now) {
  return state_->next_claim_at(signals, now);
}
void ParkedSource::set_waker(std::function<void()> waker) { state_->set_waker(std::move(waker)); }
model::Backlog ParkedSource::backlog() const { return state_->backlog(); }

}  // namespace arca::cassandra
