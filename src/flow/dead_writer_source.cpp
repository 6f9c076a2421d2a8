#include "flow/dead_writer_source.hpp"

#include <algorithm>

namespace arca::flow {

namespace {
// Reconciling asks for everything, whatever its release time; nothing is sent.
constexpr base::SteadyTime any_time = base::SteadyTime(std::chrono::hours(24 * 365 * 100));
}  // namespace

Result<bool> DeadWriterSource::reconcile_one() {
  model::ChunkSource* const pool = writer_.pool();
  if (pool == nullptr) return true;
  Result<std::optional<model::Claim>> claim = pool->claim(model::SignalSet::all(), any_time);
  if (!claim) return failure(claim.error().with_context("look through the pool"));
  if (!*claim) {
    for (const model::ChunkId& id : seen_) pool->release(id, base::SteadyTime::min());
    seen_.clear();
    return true;
  }
  const model::ChunkId id = (*claim)->chunk.id;
  if (!writer_.journal_contains(id)) {
    try {
      seen_.push_back(id);
    } catch (...) {
      pool->release(id, base::SteadyTime::min());
      throw;
    }
    return false;
  }
  model::Ack parked;
  parked.chunk_id = id;
  parked.verdict = model::Verdict::parked;
  parked.tier = model::Tier::journal;
  if (const Result<void> settled = pool->settle(parked); !settled) {
    pool->release(id, base::SteadyTime::min());
    return failure(settled.error().with_context("settle a chunk that lies in the journal too"));
  }
  return false;
}

Result<std::optional<model::Claim>> DeadWriterSource::claim(model::SignalSet signals, base::SteadyTime now) {
  model::ChunkSource* origin = &writer_.journal();
  Result<std::optional<model::Claim>> claim = origin->claim(signals, now);
  if (!claim) return failure(claim.error().with_context("journal"));
  if (!*claim && writer_.pool() != nullptr) {
    if (writer_.journal_holds(model::Signal::metrics)) signals.erase(model::Signal::metrics);
    origin = writer_.pool();
    if (!signals.empty()) claim = origin->claim(signals, now);
    if (!claim) return failure(claim.error().with_context("pool"));
  }
  if (*claim) {
    const model::ChunkId id = (*claim)->chunk.id;
    try {
      const std::lock_guard lock(mutex_);
      claimed_[id] = origin;
    } catch (...) {
      origin->release(id, now);
      throw;
    }
  }
  return claim;
}

Result<void> DeadWriterSource::settle(const model::Ack& ack) {
  Result<void> settled = origin_of(ack.chunk_id).settle(ack);
  if (settled) forget(ack.chunk_id);
  return settled;
}

void DeadWriterSource::release(const model::ChunkId& id, base::SteadyTime not_before) {
  origin_of(id).release(id, not_before);
  forget(id);
}

void DeadWriterSource::forget_release_times() {
  writer_.journal().forget_release_times();
  if (writer_.pool() != nullptr) writer_.pool()->forget_release_times();
}

base::SteadyTime DeadWriterSource::next_claim_at(model::SignalSet signals, base::SteadyTime now) {
  const base::SteadyTime journal = writer_.journal().next_claim_at(signals, now);
  if (writer_.journal_holds(model::Signal::metrics)) signals.erase(model::Signal::metrics);  // as claim() does it
  return writer_.pool() == nullptr ? journal : std::min(journal, writer_.pool()->next_claim_at(signals, now));
}

void DeadWriterSource::set_waker(std::function<void()> waker) {
  writer_.journal().set_waker(waker);
  if (writer_.pool() != nullptr) writer_.pool()->set_waker(std::move(waker));
}

model::Backlog DeadWriterSource::backlog() const {
  model::Backlog all = writer_.journal().backlog();
  if (writer_.pool() == nullptr) return all;
  const model::Backlog pool = writer_.pool()->backlog();
  all.chunk_count += pool.chunk_count;
  all.bytes += pool.bytes;
  for (std::size_t i = 0; i < model::signal_count; ++i) all.item_count[i] += pool.item_count[i];
  if (pool.oldest) all.oldest = std::min(all.oldest.value_or(*pool.oldest), *pool.oldest);
  return all;
}

model::ChunkSource& DeadWriterSource::origin_of(const model::ChunkId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = claimed_.find(id);
  return found == claimed_.end() ? writer_.journal() : *found->second;
}

void DeadWriterSource::forget(const model::ChunkId& id) {
  const std::lock_guard lock(mutex_);
  claimed_.erase(id);
}

model::Totals final_totals(const model::Totals& pool, const model::Totals& journal, bool has_pool) {
  model::Totals all{};
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    model::SignalTotals& sum = all[i];
    sum = pool[i];
    // Without a pool (gone with a reboot) the journal is all that is known of the writer.
    if (!has_pool) sum.accepted = journal[i].journaled;
    sum.delivered += journal[i].delivered;
    sum.parked += journal[i].parked;
    sum.quarantined += journal[i].quarantined;
    sum.lost += journal[i].lost;
    sum.journaled = 0;  // it is empty
    const std::uint64_t settled = sum.delivered + sum.parked + sum.quarantined + sum.lost;
    if (settled > sum.accepted) {
      const std::uint64_t twice = std::min(sum.delivered, settled - sum.accepted);
      sum.delivered -= twice;
      sum.accepted = settled - twice;  // the writer died when the journal had a record and the pool had not counted it
    } else {
      sum.lost += sum.accepted - settled;
    }
  }
  return all;
}

}  // namespace arca::flow
