#include "flow/dispatcher.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/check.hpp"

namespace arca::flow {

namespace {

// A sink that isn't ready and names a time that is over, or a source that has a chunk and gives none, must not make us
// spin.
constexpr base::Duration readiness_poll = std::chrono::milliseconds(20);

// How often a sink is asked again whose window others have filled: their acks don't wake us.
constexpr base::Duration window_poll = std::chrono::milliseconds(5);

// What the sink takes after so many failures in a row, and nothing else for so long, ends an outage.
constexpr std::uint32_t outage_failure_count_min = 2;
constexpr base::Duration outage_time_min = std::chrono::seconds(1);

bool has_refused_items(const model::Ack& ack) noexcept {
  return ack.verdict == model::Verdict::rejected ||
         (ack.verdict == model::Verdict::delivered && ack.refused_item_count > 0);
}

}  // namespace

// Where acks arrive from any thread. Shared with the callbacks, so that a late ack finds it alive.
struct Dispatcher::Inbox {
  struct Letter {
    model::Ack ack;
    std::uint64_t submission;
  };

  void put(model::Ack ack, std::uint64_t submission) {
    {
      const std::lock_guard lock(mutex);
      letters.push_back({std::move(ack), submission});
    }
    wake_up->ring();
  }
  std::optional<Letter> take() {
    const std::lock_guard lock(mutex);
    if (next == letters.size()) {
      letters.clear();
      next = 0;
      return std::nullopt;
    }
    return std::move(letters[next++]);
  }
  bool empty() {
    const std::lock_guard lock(mutex);
    return next == letters.size();
  }

  std::shared_ptr<Doorbell> wake_up;  // constant
  std::mutex mutex;
  std::vector<Letter> letters;  // these protected by mutex
  std::size_t next = 0;         // letters before it have been taken
};

Dispatcher::Dispatcher(model::ChunkSource& source, model::Sink& sink, os::Clock& clock, DispatcherOptions options)
    : source_(source), sink_(sink), clock_(clock), options_(std::move(options)), inbox_(std::make_shared<Inbox>()) {
  if (!options_.wake_up) options_.wake_up = std::make_shared<Doorbell>();
  if (!options_.progress) options_.progress = std::make_shared<Doorbell>();
  inbox_->wake_up = options_.wake_up;
  inbox_->letters.reserve(std::size_t{2} * options_.in_flight_max);
  source_.set_waker([doorbell = options_.wake_up] { doorbell->ring(); });
}

Dispatcher::~Dispatcher() { source_.set_waker({}); }

base::SteadyTime Dispatcher::step(base::SteadyTime now) {
  try {
    const base::SteadyTime wake = turn(now);
    restart_failure_count_ = 0;
    return wake;
  } catch (const std::exception& broken) {
    return restart(now, broken.what());
  }
}

void Dispatcher::run(const std::stop_token& stop) {
  while (!stop.stop_requested() && !drained()) {
    const std::uint64_t seen = options_.wake_up->count();
    const base::SteadyTime wake = step(clock_.steady_now());
    if (!drained()) options_.wake_up->wait(seen, wake, stop);
  }
}

base::SteadyTime Dispatcher::turn(base::SteadyTime now) {
  std::optional<Drain> drain;
  {
    const std::lock_guard lock(mutex_);
    if (drain_report_) return base::never;
    drain = drain_;
  }
  take_acks(now);
  base::SteadyTime wake = settle_due(now);
  if (!drain || now < drain->deadline) wake = std::min(wake, fill_window(now));
  publish_in_flight();
  if (!inbox_->empty()) return now;  // a sink that answers at once
  return drain ? drain_turn(*drain, wake, now) : wake;
}

// Our own bug. What is in flight goes back to the source (perhaps a duplicate, never a loss), and we start anew.
base::SteadyTime Dispatcher::restart(base::SteadyTime now, const char* what) {
  try {
    report(options_.report, Error(ErrorCode::internal, options_.name + ": " + what + "; starting anew"));
  } catch (const std::exception&) {
    // No memory even for that. The thread that steps must not end.
  }
  claim_again_at_ = now + backoff_delay(options_.fault, ++restart_failure_count_, options_.random);
  for (const auto& [id, flight] : flights_) source_.release(id, claim_again_at_);
  flights_.clear();
  metric_count_ = static_cast<std::uint32_t>(std::count_if(unsettled_.begin(), unsettled_.end(), [](const auto& each) {
    return each.flight.chunk.signal == model::Signal::metrics;
  }));
  {
    const std::lock_guard lock(mutex_);
    ++counters_.restart_count;
  }
  publish_in_flight();
  return claim_again_at_;
}

void Dispatcher::take_acks(base::SteadyTime now) {
  while (std::optional<Inbox::Letter> letter = inbox_->take()) handle(std::move(letter->ack), letter->submission, now);
}

void Dispatcher::handle(model::Ack ack, std::uint64_t submission, base::SteadyTime now) {
  const auto found = flights_.find(ack.chunk_id);
  if (found == flights_.end() || found->second.submission != submission) {
    const std::lock_guard lock(mutex_);
    ++counters_.ignored_ack_count;
    return;
  }
  note_end_of_outage(ack, now);
  if (model::is_settled(ack.verdict)) {
    unsettled_.push_back({.flight = found->second, .ack = std::move(ack), .retry_at = now});
  } else {
    release(found->second, ack, now);
    if (found->second.chunk.signal == model::Signal::metrics) --metric_count_;
  }
  flights_.erase(found);
}

// The chunks that an outage was tried with wait out their backoff, alone and for nothing, when it is over. They go at
// once then, unless a server named the wait. Not oftener than once in outage_time_min, so that what fails again and
// again between others that succeed keeps its backoff.
void Dispatcher::note_end_of_outage(const model::Ack& ack, base::SteadyTime now) {
  if (ack.verdict == model::Verdict::parked) return;
  if (!model::is_settled(ack.verdict)) {
    ++failure_count_;
    if (ack.retry_after) named_wait_until_ = std::max(named_wait_until_, now + *ack.retry_after);
    return;
  }
  const bool was_outage = failure_count_ >= outage_failure_count_min && now - last_taken_at_ >= outage_time_min;
  if (was_outage && now >= named_wait_until_) source_.forget_release_times();
  failure_count_ = 0;
  last_taken_at_ = now;
}

void Dispatcher::release(const Flight& flight, const model::Ack& ack, base::SteadyTime now) {
  const base::Duration wait =
      giving_back_ ? base::Duration::zero()
                   : backoff_delay(options_.retry, flight.attempt_number, options_.random, ack.retry_after);
  source_.release(flight.chunk.id, now + wait);
  count(flight, ack);
}

// Settles all that is due; returns when the next one is.
base::SteadyTime Dispatcher::settle_due(base::SteadyTime now) {
  base::SteadyTime next = base::never;
  bool progress = false;
  for (std::size_t i = 0; i < unsettled_.size();) {
    Unsettled& each = unsettled_[i];
    if (each.retry_at <= now) {
      // Set before the attempt, so that even one that throws does not come again at once.
      each.retry_at = now + backoff_delay(options_.fault, ++each.failure_count, options_.random);
      if (const Result<void> settled = settle(each); settled) {
        if (each.flight.chunk.signal == model::Signal::metrics) --metric_count_;
        count(each.flight, each.ack);
        unsettled_.erase(unsettled_.begin() + static_cast<std::ptrdiff_t>(i));
        progress = true;
        continue;
      } else {
        report(options_.report,
               settled.error().with_context(options_.name + ": settle chunk " + model::to_string(each.ack.chunk_id)));
        const std::lock_guard lock(mutex_);
        ++counters_.settle_error_count;
      }
    }
    next = std::min(next, each.retry_at);
    ++i;
  }
  publish_in_flight();
  if (progress) options_.progress->ring();
  return next;
}

Result<void> Dispatcher::settle(Unsettled& unsettled) {
  model::Ack& ack = unsettled.ack;
  if (has_refused_items(ack) && ack.tier == model::Tier::none && options_.keep_rejected) {
    Result<void> kept = options_.keep_rejected(unsettled.flight.chunk, ack);
    if (!kept && kept.error().code() != ErrorCode::full) return kept;
    if (kept) {
      ack.tier = model::Tier::journal;  // from now on what was refused counts as quarantined, not as lost
    } else {
      report(options_.report, kept.error().with_context("what the Collector refuses for good of chunk " +
                                                        model::to_string(ack.chunk_id) + " is lost"));
    }
  }
  Result<void> settled = source_.settle(ack);
  // The attempt before ended the chunk without being able to record it, and the source has done so since.
  if (!settled && settled.error().code() == ErrorCode::not_found && unsettled.failure_count > 1) return {};
  return settled;
}

void Dispatcher::count(const Flight& flight, const model::Ack& ack) {
  const std::size_t signal = model::index_of(flight.chunk.signal);
  const std::lock_guard lock(mutex_);
  DispatcherCounters::PerVerdict& verdict = counters_.of(ack.verdict);
  ++verdict.chunk_count;
  verdict.item_count[signal] += flight.chunk.item_count;
  if (!model::is_settled(ack.verdict)) return;
  counters_.settled_bytes += flight.chunk.payload.size();
  counters_.refused_item_count[signal] += ack.refused_item_count;
}

// Claims and submits until the window is full or nothing more can go; returns when that may change by itself.
base::SteadyTime Dispatcher::fill_window(base::SteadyTime now) {
  for (;;) {
    if (held_count() >= options_.in_flight_max) return base::never;
    if (const base::SteadyTime held = held_back_until(now); held > now) {
      return std::max(held, source_.next_claim_at(options_.signals, now));  // an empty source costs no wake-ups
    }
    AskAgain ask_again_at;
    const model::SignalSet ready = ready_signals(now, ask_again_at);
    if (!ready.empty() && claim_one(ready, now)) continue;
    if (claim_again_at_ > now) return claim_again_at_;
    return next_claim_at(now, ready, ask_again_at);
  }
}

base::SteadyTime Dispatcher::held_back_until(base::SteadyTime now) {
  if (claim_again_at_ > now) return claim_again_at_;
  if (options_.rate_limiter) {
    if (const base::SteadyTime ready_at = options_.rate_limiter->ready_at(now); ready_at > now) return ready_at;
  }
  if (!options_.yields || !options_.yields()) {
    yielding_since_.reset();
    return now;
  }
  if (!yielding_since_) yielding_since_ = now;
  if (now - *yielding_since_ < options_.yield_max) return now + options_.yield_interval;
  yielding_since_ = now;
  return now;
}

model::SignalSet Dispatcher::ready_signals(base::SteadyTime now, AskAgain& ask_again_at) {
  ask_again_at.fill(base::never);
  model::SignalSet ready;
  for (const model::Signal signal : model::all_signals) {
    if (!options_.signals.contains(signal)) continue;
    // Metrics leave strictly in order: the next one waits for the verdict on this one.
    if (signal == model::Signal::metrics && metric_count_ > 0) continue;
    const model::Readiness readiness = sink_.readiness(signal, now);
    if (readiness.ready) {
      ready.insert(signal);
    } else {
      base::SteadyTime again = std::max(readiness.ask_again_at, now + readiness_poll);
      const bool own_ack_comes = std::any_of(flights_.begin(), flights_.end(),
                                             [&](const auto& each) { return each.second.chunk.signal == signal; });
      if (readiness.ask_again_at == base::never && !own_ack_comes) again = now + window_poll;
      ask_again_at[model::index_of(signal)] = again;
    }
  }
  return ready;
}

bool Dispatcher::claim_one(model::SignalSet signals, base::SteadyTime now) {
  Result<std::optional<model::Claim>> claim = source_.claim(signals, now);
  if (!claim) {
    claim_again_at_ = now + backoff_delay(options_.fault, ++claim_failure_count_, options_.random);
    report(options_.report, claim.error().with_context(options_.name + ": claim the next chunk"));
    const std::lock_guard lock(mutex_);
    ++counters_.source_error_count;
    return false;
  }
  claim_failure_count_ = 0;
  if (!*claim) return false;
  submit(std::move(**claim), now);
  return true;
}

void Dispatcher::submit(model::Claim claim, base::SteadyTime now) {
  const std::uint64_t submission = ++submission_;
  const model::Chunk& chunk = claim.chunk;
  const std::size_t size = chunk.payload.size();
  bool is_new = false;
  try {
    is_new = flights_.try_emplace(chunk.id, Flight{chunk, claim.attempt_number, submission}).second;
  } catch (...) {
    source_.release(chunk.id, now);  // nobody else knows of it
    throw;
  }
  ARCA_CHECK(is_new);  // the source gave a chunk that it had given before
  if (chunk.signal == model::Signal::metrics) ++metric_count_;
  if (options_.rate_limiter) options_.rate_limiter->take(now, size, chunk.item_count);
  {
    const std::lock_guard lock(mutex_);
    ++counters_.submitted_chunk_count;
    counters_.submitted_bytes += size;
  }
  sink_.submit(std::move(claim.chunk),
               [inbox = inbox_, submission](model::Ack ack) { inbox->put(std::move(ack), submission); });
}

base::SteadyTime Dispatcher::next_claim_at(base::SteadyTime now, model::SignalSet ready, const AskAgain& ask_again_at) {
  base::SteadyTime next = base::never;
  if (!ready.empty()) {
    next = source_.next_claim_at(ready, now);
    if (next <= now) next = now + readiness_poll;  // it had none for us just now
  }
  // Whether another signal is ready matters only when there is something of it.
  for (const model::Signal signal : model::all_signals) {
    const base::SteadyTime again = ask_again_at[model::index_of(signal)];
    if (again < next)
      next = std::min(next, std::max(again, source_.next_claim_at(model::SignalSet::only(signal), now)));
  }
  return next;
}

DispatcherCounters& DispatcherCounters::operator+=(const DispatcherCounters& other) noexcept {
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    verdicts[i].chunk_count += other.verdicts[i].chunk_count;
    for (std::size_t s = 0; s < model::signal_count; ++s) verdicts[i].item_count[s] += other.verdicts[i].item_count[s];
  }
  for (std::size_t s = 0; s < model::signal_count; ++s) refused_item_count[s] += other.refused_item_count[s];
  submitted_chunk_count += other.submitted_chunk_count;
  submitted_bytes += other.submitted_bytes;
  settled_bytes += other.settled_bytes;
  ignored_ack_count += other.ignored_ack_count;
  source_error_count += other.source_error_count;
  settle_error_count += other.settle_error_count;
  restart_count += other.restart_count;
  return *this;
}

void Dispatcher::publish_in_flight() {
  const std::lock_guard lock(mutex_);
  in_flight_published_ = static_cast<std::uint32_t>(held_count());
}

DispatcherCounters Dispatcher::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

std::uint32_t Dispatcher::in_flight_count() const {
  const std::lock_guard lock(mutex_);
  return in_flight_published_;
}

bool Dispatcher::wait_until(const std::function<bool()>& predicate, base::SteadyTime deadline) {
  return options_.progress->wait_until(predicate, deadline);
}

void Dispatcher::wake() { options_.wake_up->ring(); }

}  // namespace arca::flow
