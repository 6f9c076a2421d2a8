#include "telemetry/pipeline.hpp"

#include <algorithm>
#include <cstring>

#include "os/file_system.hpp"
#include "os/fork.hpp"
#include "os/log.hpp"

namespace arca::telemetry {
namespace {

using std::chrono::milliseconds;

// Of the time for ending, this much is kept for what must be done after delivery: cancelling, moving to the journal.
base::Duration reserve_of(base::Duration time) { return std::min<base::Duration>(time / 4, milliseconds(700)); }

Breaker to_public(flow::BreakerState state) noexcept {
  switch (state) {
    case flow::BreakerState::closed:
      return Breaker::closed;
    case flow::BreakerState::open:
      return Breaker::open;
    case flow::BreakerState::half_open:
      return Breaker::half_open;
  }
  return Breaker::closed;
}

// A quarantine that nothing was put into is not left behind.
void remove_if_empty(const std::string& directory) {
  os::FileSystem& files = os::posix_file_system();
  const auto names = files.list(directory);
  if (!names) return;
  for (const std::string& name : *names) {
    if (!files.remove(directory + "/" + name)) return;
  }
  const auto removed = files.remove_directory(directory);
  if (!removed) os::log(os::LogLevel::debug, "{}", removed.error().message());
}

}  // namespace

// Doors and routers die before what stands behind them, so nothing may come back through them any more.
Pipeline::~Pipeline() {
  stop_threads();
  if (cassandra) cassandra->end(clock.steady_now());
}

bool Pipeline::is_inherited() const noexcept { return generation_ != os::fork_generation(); }

bool Pipeline::is_delivered_up_to(std::uint64_t sequence) const {
  if (pool->lowest_unsettled() <= sequence || journal->backlog().chunk_count != 0) return false;
  return destination == Destination::cassandra || !cassandra || cassandra->parked_items().waiting_item_count == 0;
}

void Pipeline::read_law(Status& status) const {
  // What was replayed first: what is parked meanwhile then counts as parked.
  const ParkedItems replayed = cassandra ? cassandra->parked_items() : ParkedItems{};
  telemetry::read_law(*pool, *journal, status);
  count_replayed(replayed, status);
}

// In pool and journal: what a loss of the host would take.
std::uint64_t Pipeline::kept_here() const {
  Status law;
  read_law(law);
  std::uint64_t items = 0;
  for (const SignalStatus* signal : {&law.traces, &law.metrics, &law.logs}) {
    items += signal->in_journal + signal->in_memory;
  }
  return items;
}

std::uint64_t Pipeline::kept_items() const {
  Status law;
  read_law(law);
  std::uint64_t items = 0;
  for (const SignalStatus* signal : {&law.traces, &law.metrics, &law.logs}) {
    items += signal->in_journal + signal->in_memory;
    if (destination == Destination::collector) items += signal->parked;
  }
  return items;
}

FlushReport Pipeline::flush(base::SteadyTime deadline) {
  const std::uint64_t sequence = pool->seal_all();
  live->wake();
  bool delivered = is_delivered_up_to(sequence);
  while (!delivered && clock.steady_now() < deadline) {
    // The recovery lane, which empties the journal, does not ring the live lane's bell: so look again now and then.
    const auto look_again = std::min(deadline, clock.steady_now() + milliseconds(20));
    delivered = live->wait_until([&] { return is_delivered_up_to(sequence); }, look_again);
  }
  if (delivered) return {FlushOutcome::delivered, 0};
  return {FlushOutcome::kept, kept_items()};
}

void Pipeline::stop_threads() {
  live_thread.request_stop();
  recovery_thread.request_stop();
  if (live) live->wake();
  if (collector) collector->cancel_all();
  if (recovery_thread.joinable()) recovery_thread.join();
  if (live_thread.joinable()) live_thread.join();
  // What recovery sent in its last moments is under way still, and one that was not taken is offered to the next tier.
  if (collector) collector->close();
}

FlushReport Pipeline::end(base::SteadyTime deadline, Status& last) {
  const auto begin = clock.steady_now();
  const auto deliver_until = deadline - reserve_of(std::max(base::Duration(0), deadline - begin));
  pool->seal_all();
  live->drain(deliver_until);
  FlushReport result = flush(deliver_until);  // the journal, too, may get empty in time
  stop_threads();
  // First of all the pool, which may lie on tmpfs: Cassandra may keep its end waiting until the deadline.
  const auto spilled = spiller->spill_all(deadline);
  if (!spilled) os::log(os::LogLevel::warn, "what is left stays in the pool: {}", spilled.error().message());
  if (cassandra) cassandra->end(deadline);
  result.kept_item_count = kept_items();
  result.outcome = result.kept_item_count == 0 ? FlushOutcome::delivered : FlushOutcome::kept;

  last = status();

  const bool all_is_elsewhere = kept_here() == 0;
  const model::Totals totals = final_totals();
  const bool quarantine_is_empty = quarantine->backlog().chunk_count == 0;
  pool->close();
  take_apart();
  if (quarantine_is_empty) remove_if_empty(settings.state_directory + "/quarantine/" + to_string(directory->id()));
  if (all_is_elsewhere) {
    const auto finished = directory->finish(totals);
    if (!finished) os::log(os::LogLevel::warn, "{}", finished.error().message());
  }
  directory.reset();  // the lock: from here on anybody may recover what is left
  return result;
}

// For the ledger.
model::Totals Pipeline::final_totals() const {
  model::Totals totals = flow::final_totals(pool->totals(), journal->totals(), true);
  if (!cassandra) return totals;
  const ParkedItems replayed = cassandra->parked_items();
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    model::SignalTotals& signal = totals[i];
    take_from_parked(replayed, i, signal.parked, signal.delivered, signal.quarantined, signal.lost);
  }
  return totals;
}

// From the lanes to the stores. Each thing before what it stands on.
void Pipeline::take_apart() {
  recovery.reset();
  spiller.reset();
  live.reset();
  for (Way* way : {&live_way, &journal_way, &others_way}) {
    way->archiving.reset();
    way->router.reset();
  }
  archive.reset();
  parking_for_others.reset();
  parking.reset();
  cassandra.reset();
  guarded_disk.reset();
  disk.reset();
  guarded_collector.reset();
  collector.reset();
  pool.reset();
  journal.reset();
  quarantine.reset();
}

void Pipeline::tick() {
  const Status now = status();
  growth.sample(clock.steady_now(), now.backlog_bytes);
  pool->publish_status(to_json(now));
}

flow::RecoveryStatus Pipeline::recovery_status() const { return recovery->status(); }

Status Pipeline::status() const {
  Status status;
  read_law(status);
  if (cassandra) {
    status.cassandra = cassandra->status();
    const ParkedItems replayed = cassandra->parked_items();
    status.cassandra.replayed = replayed.delivered;
    status.cassandra.replay_quarantined = replayed.quarantined;
    status.cassandra.parked_lost = replayed.lost;
    if (delivered_chunks) status.cassandra.archive_missed = delivered_chunks->missed_item_count();
    for (const model::Signal signal : model::all_signals) {
      status.cassandra.failure_count += parking->status(signal).failure_count;
    }
  }
  const auto in_pool = pool->backlog();
  const auto in_journal = journal->backlog();
  status.pool_size = settings.pool_size;
  status.pool_bytes = static_cast<std::uint64_t>(pool->fill() * static_cast<double>(settings.pool_size));
  status.journal_bytes = journal->size();
  status.journal_size = journal->size_max();
  status.backlog_bytes = in_pool.bytes + in_journal.bytes;
  status.unreplicated_bytes = status.backlog_bytes;
  for (const SignalStatus* signal : {&status.traces, &status.metrics, &status.logs}) {
    status.unreplicated_items += signal->in_journal + signal->in_memory;
  }
  const auto oldest = in_pool.oldest && in_journal.oldest ? std::min(in_pool.oldest, in_journal.oldest)
                      : in_pool.oldest                    ? in_pool.oldest
                                                          : in_journal.oldest;
  if (oldest) {
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(clock.wall_now() - *oldest);
    status.oldest_age = std::max(std::chrono::seconds(0), age);
  }
  const std::uint64_t size = status.pool_size + status.journal_size;
  const std::uint64_t used = status.pool_bytes + status.journal_bytes;
  status.until_full = growth.time_to_fill(size > used ? size - used : 0);
  for (const model::Signal signal : model::all_signals) {
    const auto guard = (guarded_collector ? guarded_collector : parking)->status(signal);
    status.breakers[model::index_of(signal)] = to_public(guard.state);
    if (!guard.last_error.empty()) status.last_error = guard.last_error;
  }
  status.pool_on_tmpfs = pool_on_tmpfs;
  status.writer = to_string(directory->id());
  status.state_directory = settings.state_directory;
  return status;
}

}  // namespace arca::telemetry
