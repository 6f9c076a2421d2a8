#include "flow/spiller.hpp"

#include <exception>
#include <utility>

#include "base/crash_point.hpp"

namespace arca::flow {

namespace {
// A chunk that waits for its retry moves too: in the journal it can wait as well.
constexpr base::SteadyTime whatever_its_release_time = base::never;
}  // namespace

Spiller::Spiller(model::ChunkSource& pool, Append append, std::shared_ptr<Doorbell> progress, os::Clock& clock,
                 SpillerOptions options)
    : pool_(pool),
      append_(std::move(append)),
      progress_(std::move(progress)),
      clock_(clock),
      options_(std::move(options)) {}

bool Spiller::make_room() noexcept {
  const std::uint64_t progress = progress_->count();
  const base::SteadyTime now = clock_.steady_now();
  if (now.time_since_epoch().count() < hopeless_until_.load() && progress == hopeless_progress_.load()) return false;
  try {
    const Result<std::optional<std::uint32_t>> spilled = spill_one(whatever_its_release_time, now);
    if (spilled) return spilled->has_value();
    report(options_.report, spilled.error().with_context("move a chunk from the pool to the journal"));
  } catch (const std::exception& broken) {
    report(options_.report, Error(ErrorCode::internal, std::string("make room in the pool: ") + broken.what()));
  }
  hopeless_progress_.store(progress);
  hopeless_until_.store((now + options_.retry_interval).time_since_epoch().count());
  return false;
}

Result<SpillReport> Spiller::spill_all(base::SteadyTime deadline) {
  SpillReport spill_report;
  for (;;) {
    const base::SteadyTime now = clock_.steady_now();
    if (now >= deadline && spill_report.chunk_count > 0) return spill_report;  // one is always tried
    const Result<std::optional<std::uint32_t>> spilled = spill_one(whatever_its_release_time, now);
    if (!spilled) return failure(spilled.error().with_context("move the pool into the journal"));
    if (!*spilled) {
      spill_report.complete = true;
      return spill_report;
    }
    ++spill_report.chunk_count;
    spill_report.item_count += **spilled;
  }
}

Result<std::optional<std::uint32_t>> Spiller::spill_one(base::SteadyTime claim_time, base::SteadyTime release_time) {
  Result<std::optional<model::Claim>> claim = pool_.claim(model::SignalSet::all(), claim_time);
  if (!claim) return failure(claim.error());
  if (!*claim) return std::nullopt;
  // Moved out of the claim, so that the pool's memory is free again when this function returns.
  const model::Chunk chunk = std::move((*claim)->chunk);
  Result<void> appended;
  try {
    appended = append_(chunk);
  } catch (...) {
    pool_.release(chunk.id, release_time);
    throw;
  }
  if (!appended) {
    pool_.release(chunk.id, release_time);
    return failure(appended.error());
  }
  base::crash_point("spill.appended");
  model::Ack parked;
  parked.chunk_id = chunk.id;
  parked.verdict = model::Verdict::parked;
  parked.tier = model::Tier::journal;
  if (const Result<void> settled = pool_.settle(parked); !settled) {
    // It is in the journal and stays claimable here: a second append of the same id stores nothing twice.
    pool_.release(chunk.id, release_time);
    return failure(settled.error());
  }
  spilled_.fetch_add(1);
  return chunk.item_count;
}

}  // namespace arca::flow
