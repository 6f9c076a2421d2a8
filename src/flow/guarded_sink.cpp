#include "flow/guarded_sink.hpp"

#include <algorithm>
#include <mutex>
#include <new>
#include <utility>

namespace arca::flow {

namespace {
// While half-open, the answer that decides may go to another lane's dispatcher, which cannot wake this one.
constexpr base::Duration half_open_poll = std::chrono::milliseconds(250);
}  // namespace

// What is known of one peer.
struct GuardedSink::Knowledge {
  struct Guard {
    CircuitBreaker breaker;
    std::string last_error = {};
    std::uint64_t failure_count = 0;
  };

  Knowledge(os::Clock& clock_in, const BreakerOptions& options, const Random& random)
      : clock(clock_in),
        guards{Guard{CircuitBreaker(options, random)}, Guard{CircuitBreaker(options, random)},
               Guard{CircuitBreaker(options, random)}} {}

  // Before the verdict goes on: nothing may throw.
  void record(model::Signal signal, CircuitBreaker::Permit permit, const model::Ack& ack) noexcept {
    const base::SteadyTime now = clock.steady_now();
    const std::lock_guard lock(mutex);
    Guard& guard = guards[model::index_of(signal)];
    // "rejected" is an answer of a peer that works.
    if (model::is_settled(ack.verdict)) {
      guard.breaker.record_success(permit);
      return;
    }
    guard.breaker.record_failure(permit, now, ack.retry_after);
    ++guard.failure_count;
    try {
      guard.last_error = ack.reason;
    } catch (const std::bad_alloc&) {
      guard.last_error.clear();
    }
  }

  os::Clock& clock;
  mutable std::mutex mutex;
  std::array<Guard, model::signal_count> guards;  // protected by mutex
};

GuardedSink::GuardedSink(model::Sink& sink, os::Clock& clock, const BreakerOptions& options, const Random& random)
    : sink_(sink), knowledge_(std::make_shared<Knowledge>(clock, options, random)) {}

GuardedSink::GuardedSink(model::Sink& sink, const GuardedSink& same_peer)
    : sink_(sink), knowledge_(same_peer.knowledge_) {}

std::string_view GuardedSink::name() const noexcept { return sink_.name(); }

model::Readiness GuardedSink::readiness(model::Signal signal, base::SteadyTime now) noexcept {
  {
    const std::lock_guard lock(knowledge_->mutex);
    const CircuitBreaker& breaker = knowledge_->guards[model::index_of(signal)].breaker;
    if (!breaker.allows(now)) return {false, std::min(breaker.next_try_at(), now + half_open_poll)};
  }
  return sink_.readiness(signal, now);
}

void GuardedSink::submit(model::Chunk chunk, model::AckCallback done) noexcept {
  const model::Signal signal = chunk.signal;
  const base::SteadyTime now = knowledge_->clock.steady_now();
  std::optional<CircuitBreaker::Permit> permit;
  base::SteadyTime next_try_at;
  {
    const std::lock_guard lock(knowledge_->mutex);
    CircuitBreaker& breaker = knowledge_->guards[model::index_of(signal)].breaker;
    permit = breaker.try_acquire(now);
    next_try_at = breaker.next_try_at();
  }
  if (!permit) {
    model::Ack ack = model::not_sent_for_want_of_memory(chunk.id);  // the same verdict, and it needs none
    if (next_try_at != base::never) ack.retry_after = next_try_at - now;
    done(std::move(ack));
    return;
  }
  const model::ChunkId id = chunk.id;
  std::shared_ptr<model::AckCallback> kept;
  try {
    kept = std::make_shared<model::AckCallback>(std::move(done));
    model::AckCallback on_ack = [knowledge = knowledge_, signal, permit = *permit, kept](model::Ack ack) {
      knowledge->record(signal, permit, ack);
      (*kept)(std::move(ack));
    };
    sink_.submit(std::move(chunk), std::move(on_ack));
  } catch (const std::bad_alloc&) {
    model::Ack ack = model::not_sent_for_want_of_memory(id);
    knowledge_->record(signal, *permit, ack);
    (kept ? *kept : done)(std::move(ack));
  }
}

void GuardedSink::cancel_all() noexcept { sink_.cancel_all(); }

bool GuardedSink::is_closed(model::Signal signal) const noexcept {
  const std::lock_guard lock(knowledge_->mutex);
  return knowledge_->guards[model::index_of(signal)].breaker.state() == BreakerState::closed;
}

GuardStatus GuardedSink::status(model::Signal signal) const {
  const std::lock_guard lock(knowledge_->mutex);
  const Knowledge::Guard& guard = knowledge_->guards[model::index_of(signal)];
  GuardStatus status{.state = guard.breaker.state(),
                     .last_error = guard.last_error,
                     .next_try_at = {},
                     .failure_count = guard.failure_count};
  if (status.state == BreakerState::open) status.next_try_at = guard.breaker.next_try_at();
  return status;
}

}  // namespace arca::flow
