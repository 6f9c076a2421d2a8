#include "telemetry/recorder.hpp"

#include <algorithm>
#include <exception>
#include <thread>

#include "model/record_grammar.hpp"
#include "os/log.hpp"

namespace arca::telemetry {
namespace {

// Marks the calling thread as a user of the intake. The owner pays a plain store; close() makes it visible with a
// barrier on every thread. Without those barriers both sides use sequentially consistent accesses.
class Inside {
 public:
  explicit Inside(ThreadCache& cache) noexcept : cache_(cache) {
    if (base::detail::biased_locks_enabled.load(std::memory_order_relaxed)) [[likely]] {
      cache_.inside.store(true, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      cache_.inside.store(true, std::memory_order_seq_cst);
    }
  }
  ~Inside() { cache_.inside.store(false, std::memory_order_release); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  ThreadCache& cache_;
};

// After a failure past the pool, records that go there are refused for so long. Not after a large one: the next may
// fit.
constexpr base::Duration direct_pause = std::chrono::milliseconds(10);
constexpr std::size_t small_record_max = 16U << 10U;
// Who waits for room looks again after this time: not all that makes room tells of it.
constexpr base::Duration look_again = std::chrono::milliseconds(20);

Count handed_on(model::Signal signal) noexcept {
  return signal == model::Signal::logs ? Count::log_handed_on : Count::span_handed_on;
}

}  // namespace

model::ContextId ScopeContext::intern(const Intake& intake) noexcept {
  try {
    const auto id = intake.pool->intern(view());
    if (!id) return model::no_context;
    known_.store((std::uint64_t{intake.epoch} << 32U) | *id, std::memory_order_relaxed);
    return *id;
  } catch (const std::exception&) {
    return model::no_context;  // no memory: the record goes past the pool, or is refused there
  }
}

Recorder::Recorder() { os::subscribe_to_fork(*this); }
Recorder::~Recorder() { os::unsubscribe_from_fork(*this); }

void Recorder::open(const Intake* intake, Reopen reopen) {
  reopen_ = std::move(reopen);
  forked_.store(false, std::memory_order_relaxed);
  intake_.store(intake, std::memory_order_seq_cst);
}

bool Recorder::close(os::Clock& clock, base::SteadyTime deadline) noexcept {
  // A forked child's first record may be making an intake just now: it would be stored behind our back.
  while (reopening_.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
  intake_.store(nullptr, std::memory_order_seq_cst);
  forked_.store(false, std::memory_order_release);
  reopening_.store(false, std::memory_order_release);
  if (base::detail::biased_locks_enabled.load(std::memory_order_relaxed)) base::detail::barrier_all_threads();
  while (!ThreadCache::all_are_outside()) {
    if (clock.steady_now() >= deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

[[gnu::always_inline]] inline bool Recorder::hand_over(const Intake& intake, model::Signal signal, ScopeContext& scope,
                                                       base::Bytes record, std::uint32_t item_count) noexcept {
  if (record.empty()) [[unlikely]]
    return refuse(intake, signal, item_count);
  const model::ContextId context = scope.id_in(intake);
  if (context == model::no_context) [[unlikely]]
    return go_past_pool(intake, signal, scope, record, item_count, journal::AppendStatus::too_large);
  const journal::AppendStatus status = intake.pool->append(signal, context, record, item_count);
  if (status == journal::AppendStatus::accepted) [[likely]]
    return true;
  return go_past_pool(intake, signal, scope, record, item_count, status);
}

bool Recorder::record(model::Signal signal, ScopeContext& scope, base::Bytes record,
                      std::uint32_t item_count) noexcept {
  ThreadCache* cache = ThreadCache::mine();
  if (cache == nullptr) return false;
  if (forked_.load(std::memory_order_relaxed)) [[unlikely]] {
    if (!reopen_after_fork()) return false;
  }
  const Inside inside(*cache);
  const Intake* intake = intake_.load(std::memory_order_seq_cst);
  if (intake == nullptr) [[unlikely]] {
    if (signal != model::Signal::metrics) {
      cache->count(signal == model::Signal::logs ? Count::log_after_shutdown : Count::span_after_shutdown);
    }
    return false;
  }
  const bool taken = hand_over(*intake, signal, scope, record, item_count);
  if (signal != model::Signal::metrics) {
    const Count refused = signal == model::Signal::logs ? Count::log_refused : Count::span_refused;
    cache->count(taken ? handed_on(signal) : refused);
  }
  return taken;
}

// What the pool did not take. Everything in it is on its way and cannot be moved, or too small for this record, but the
// journal may have room. Only when that is full, too, policy speaks.
bool Recorder::go_past_pool(const Intake& intake, model::Signal signal, ScopeContext& scope, base::Bytes record,
                            std::uint32_t item_count, journal::AppendStatus status) noexcept {
  using journal::AppendStatus;
  base::SteadyTime give_up_at = base::never;
  for (;;) {
    const std::uint64_t seen = intake.progress->count();
    if (status == AppendStatus::accepted) return true;
    if (status == AppendStatus::closed) return false;
    // A metric must not overtake those in the pool.
    const bool overtakes = signal == model::Signal::metrics && status == AppendStatus::no_room &&
                           intake.pool->in_memory()[model::index_of(signal)] > 0;
    const Direct direct = overtakes ? Direct::full : append_direct(intake, signal, scope, record, item_count);
    if (direct == Direct::taken) return true;
    if (direct == Direct::never || !wait_for_room(intake, seen, give_up_at)) break;
    const model::ContextId context = scope.id_in(intake);
    status = context == model::no_context ? AppendStatus::too_large
                                          : intake.pool->append(signal, context, record, item_count);
  }
  return refuse(intake, signal, item_count);
}

// By policy: until something happened, or soon in any case. False when the caller's time is over, or telemetry ends.
bool Recorder::wait_for_room(const Intake& intake, std::uint64_t seen, base::SteadyTime& give_up_at) noexcept {
  if (intake.block_max <= base::Duration::zero()) return false;
  const base::SteadyTime now = intake.clock->steady_now();
  if (give_up_at == base::never) give_up_at = now + intake.block_max;
  if (now >= give_up_at || intake_.load(std::memory_order_seq_cst) != &intake) return false;
  waiting_count_.fetch_add(1, std::memory_order_relaxed);
  intake.progress->wait(seen, std::min(give_up_at, now + look_again));
  waiting_count_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

bool Recorder::refuse(const Intake& intake, model::Signal signal, std::uint32_t item_count) noexcept {
  intake.pool->count_refused(signal, item_count);
  return false;
}

// A record that no chunk of the pool holds becomes a chunk of its own in the journal.
Recorder::Direct Recorder::append_direct(const Intake& intake, model::Signal signal, ScopeContext& scope,
                                         base::Bytes record, std::uint32_t item_count) noexcept {
  if (record.size() > intake.direct_size_max) return Direct::never;
  // With pool and journal full, each record would otherwise be framed and tried at the disk in vain.
  const std::int64_t now = intake.clock->steady_now().time_since_epoch().count();
  const std::uint64_t progress = intake.progress->count();
  if (now < direct_again_at_.load(std::memory_order_relaxed) &&
      progress == direct_progress_.load(std::memory_order_relaxed)) {
    return Direct::full;
  }
  try {
    const model::Run run{1, record, 1};
    auto request = model::frame_request({run}, [&scope](model::ContextId) { return std::optional(scope.view()); });
    if (!request) return Direct::never;
    const model::Chunk chunk{.id = {intake.pool->writer(), intake.pool->take_sequence()},
                             .signal = signal,
                             .item_count = item_count,
                             .sealed_at = intake.clock->wall_now(),
                             .payload = model::Payload::borrow(std::move(request->slices), nullptr)};
    const auto appended = intake.append_direct(chunk);
    if (appended) {
      intake.pool->count_direct(signal, item_count);
      return Direct::taken;
    }
    os::log(os::LogLevel::error, "no room for a record of {} bytes: {}", record.size(), appended.error().message());
  } catch (const std::exception& error) {
    os::log(os::LogLevel::error, "no room for a record of {} bytes: {}", record.size(), error.what());
  }
  if (record.size() <= small_record_max) {
    direct_progress_.store(progress, std::memory_order_relaxed);
    direct_again_at_.store(now + direct_pause.count(), std::memory_order_relaxed);
  }
  return Direct::full;
}

bool Recorder::reopen_after_fork() noexcept {
  if (reopening_.exchange(true, std::memory_order_acquire)) {
    while (forked_.load(std::memory_order_acquire)) std::this_thread::yield();
    return is_open();
  }
  if (!forked_.load(std::memory_order_acquire)) {  // another thread has just finished
    reopening_.store(false, std::memory_order_release);
    return is_open();
  }
  const Intake* intake = nullptr;
  try {
    intake = reopen_ ? reopen_() : nullptr;
  } catch (const std::exception& error) {
    os::log(os::LogLevel::error, "telemetry stays off in this forked process: {}", error.what());
  }
  intake_.store(intake, std::memory_order_seq_cst);
  forked_.store(false, std::memory_order_release);
  reopening_.store(false, std::memory_order_release);
  return intake != nullptr;
}

void Recorder::after_fork_in_child() noexcept {
  reopening_.store(false, std::memory_order_relaxed);
  if (intake_.exchange(nullptr, std::memory_order_relaxed) != nullptr) forked_.store(true, std::memory_order_relaxed);
}

}  // namespace arca::telemetry
