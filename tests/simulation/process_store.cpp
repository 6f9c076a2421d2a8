#include "simulation/process_store.hpp"

#include <optional>

namespace arca::simulation {

using namespace cassandra;

namespace {
// As long as a request may be under way, with the driver's own tries; shorter than what recoverers wait (store.hpp).
constexpr base::Duration timeout = std::chrono::seconds(5);
constexpr base::Duration late_max = std::chrono::seconds(9);

StoreStatus failed(Outcome outcome, const char* message) { return {outcome, Refusal::none, message}; }
}  // namespace

template <class T>
void ProcessStore::read(Perform<T> perform, StoreRead<T> done) noexcept {
  if (life_->is_dead()) return;
  World& world = cluster_.world;
  // Each is answered once: by the cluster or by the time-out, whichever is first.
  auto waiting = std::make_shared<StoreRead<T>>(std::move(done));
  const auto answer = [life = life_, waiting](StoreStatus status, T value) {
    life->receive([waiting, status = std::move(status), value = std::move(value)]() mutable {
      if (!*waiting) return;
      const StoreRead<T> once = std::exchange(*waiting, {});
      once(std::move(status), std::move(value));
    });
  };
  const auto fail_after = [&](base::Duration wait, Outcome outcome, const char* message) {
    world.after(wait, [answer, outcome, message] { answer(failed(outcome, message), T{}); });
  };
  const Fate fate = draw_fate(cluster_.weather, cluster_.dice);
  const auto there = cluster_.dice.between(base::Duration(1000), cluster_.weather.latency);
  const auto back = cluster_.dice.between(base::Duration(1000), cluster_.weather.latency);
  if (fate == Fate::unreachable) return fail_after(there, Outcome::not_sent, "no node can be reached");
  if (fate == Fate::busy || fate == Fate::rejected) return fail_after(there + back, Outcome::not_taken, "overloaded");
  fail_after(timeout, Outcome::unknown, "no answer in time");
  if (fate == Fate::request_lost) return;
  const base::Duration arrival = fate == Fate::late ? cluster_.dice.between(timeout, late_max) : there;
  world.after(arrival, [&world, perform, answer, back, is_lost = fate == Fate::answer_lost] {
    perform([&world, answer, back, is_lost](StoreStatus status, T value) {
      if (is_lost) return;
      world.after(back, [answer, status = std::move(status), value = std::move(value)] { answer(status, value); });
    });
  });
}

void ProcessStore::write(std::function<void(StoreDone)> perform, StoreDone done) noexcept {
  struct Nothing {};
  read<Nothing>(
      [perform = std::move(perform)](const StoreRead<Nothing>& performed) {
        perform([performed](StoreStatus status) { performed(std::move(status), {}); });
      },
      [done = std::move(done)](StoreStatus status, Nothing) { done(std::move(status)); });
}

void ProcessStore::open_segment(const SegmentHead& head, StoreDone done) noexcept {
  write([&to = cluster_.store, head](StoreDone performed) { to.open_segment(head, std::move(performed)); },
        std::move(done));
}

void ProcessStore::put_chunk(const SegmentName& segment, const StoredChunk& chunk, std::int64_t timestamp_us,
                             StoreDone done) noexcept {
  write([&to = cluster_.store, segment, chunk,
         timestamp_us](StoreDone performed) { to.put_chunk(segment, chunk, timestamp_us, std::move(performed)); },
        std::move(done));
}

void ProcessStore::seal_segment(const SegmentName& segment, base::WallTime at, const SegmentSummary& summary,
                                StoreDone done) noexcept {
  write([&to = cluster_.store, segment, at,
         summary](StoreDone performed) { to.seal_segment(segment, at, summary, std::move(performed)); },
        std::move(done));
}

// A row borrows its bytes; the simulated processes write none (their writer has a thread of its own).
void ProcessStore::put_rows(const TraceRows& /*rows*/, std::int64_t /*timestamp_us*/, StoreDone done) noexcept {
  done({});
}
void ProcessStore::put_entries(const TraceEntries& /*entries*/, std::int64_t /*timestamp_us*/,
                               StoreDone done) noexcept {
  done({});
}
void ProcessStore::put_names(const std::string& /*service*/, const std::vector<std::string>& /*operations*/,
                             StoreDone done) noexcept {
  done({});
}

void ProcessStore::mark_rows(const SegmentName& segment, std::int32_t position, StoreDone done) noexcept {
  write([&to = cluster_.store, segment,
         position](StoreDone performed) { to.mark_rows(segment, position, std::move(performed)); },
        std::move(done));
}

void ProcessStore::list_buckets(std::int16_t shard, StoreRead<std::vector<base::WallTime>> done) noexcept {
  read<std::vector<base::WallTime>>(
      [&to = cluster_.store, shard](auto performed) { to.list_buckets(shard, std::move(performed)); }, std::move(done));
}

void ProcessStore::list_segments(base::WallTime bucket, std::int16_t shard, std::vector<std::byte> page,
                                 StoreRead<Page<SegmentEntry>> done) noexcept {
  read<Page<SegmentEntry>>([&to = cluster_.store, bucket, shard, page = std::move(page)](
                               auto performed) { to.list_segments(bucket, shard, page, std::move(performed)); },
                           std::move(done));
}

void ProcessStore::read_segment(const SegmentName& segment, StoreRead<std::optional<SegmentEntry>> done) noexcept {
  read<std::optional<SegmentEntry>>(
      [&to = cluster_.store, segment](auto performed) { to.read_segment(segment, std::move(performed)); },
      std::move(done));
}

void ProcessStore::read_chunks(const Uuid& segment, std::int32_t from, std::uint32_t limit,
                               StoreRead<std::vector<StoredChunk>> done) noexcept {
  read<std::vector<StoredChunk>>([&to = cluster_.store, segment, from, limit](
                                     auto performed) { to.read_chunks(segment, from, limit, std::move(performed)); },
                                 std::move(done));
}

void ProcessStore::take_lease(std::int16_t shard, const Uuid& owner, std::chrono::seconds ttl,
                              StoreRead<Lease> done) noexcept {
  read<Lease>([&to = cluster_.store, shard, owner,
               ttl](auto performed) { to.take_lease(shard, owner, ttl, std::move(performed)); },
              std::move(done));
}

void ProcessStore::renew_lease(std::int16_t shard, const Uuid& owner, std::int64_t epoch, std::chrono::seconds ttl,
                               StoreRead<Lease> done) noexcept {
  read<Lease>([&to = cluster_.store, shard, owner, epoch,
               ttl](auto performed) { to.renew_lease(shard, owner, epoch, ttl, std::move(performed)); },
              std::move(done));
}

void ProcessStore::release_lease(std::int16_t shard, const Uuid& owner, std::int64_t epoch, StoreDone done) noexcept {
  write([&to = cluster_.store, shard, owner,
         epoch](StoreDone performed) { to.release_lease(shard, owner, epoch, std::move(performed)); },
        std::move(done));
}

void ProcessStore::mark_replayed(const SegmentName& segment, const Progress& progress, StoreDone done) noexcept {
  write([&to = cluster_.store, segment,
         progress](StoreDone performed) { to.mark_replayed(segment, progress, std::move(performed)); },
        std::move(done));
}

void ProcessStore::put_quarantined(const QuarantinedChunk& chunk, StoreDone done) noexcept {
  write([&to = cluster_.store, chunk](StoreDone performed) { to.put_quarantined(chunk, std::move(performed)); },
        std::move(done));
}

}  // namespace arca::simulation
