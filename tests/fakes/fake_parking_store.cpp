#include "fakes/fake_parking_store.hpp"

#include <algorithm>
#include <utility>

#include "base/bytes.hpp"
#include "cassandra/store_columns.hpp"

namespace arca::fakes {

using namespace cassandra;

namespace {

std::size_t index_of(StoreCall call) { return static_cast<std::size_t>(call); }
StoreStatus status_of(const StoreFailure& failure) { return {failure.outcome, failure.refusal, failure.message}; }
// Whether the operation takes place although it fails.
bool happens(const std::optional<StoreFailure>& failure) {
  return !failure || (failure->outcome == Outcome::unknown && failure->applied);
}

}  // namespace

// --- the one way through -------------------------------------------------------------------------

template <class T>
void FakeParkingStore::run(StoreCallRecord record, std::function<T()> happen,
                           std::function<void(StoreStatus, T)> answer) noexcept {
  std::optional<StoreFailure> failure;
  T result{};
  {
    const std::lock_guard lock(mutex_);
    record.at = clock_.steady_now();
    calls_.push_back(record);
    const Hold hold = holds_.at(index_of(record.call));
    failure = failure_of(record);
    const bool fails_at_once = failure && (failure->outcome == Outcome::not_sent);
    if (hold != Hold::none && !fails_at_once) {
      struct State {
        std::function<T()> happen;
        std::function<void(StoreStatus, T)> answer;
        T result{};
        bool has_happened = false;
      };
      auto state = std::make_shared<State>();
      state->happen = std::move(happen);
      state->answer = std::move(answer);
      auto arrive = [this, state] {
        const std::lock_guard again(mutex_);
        if (!std::exchange(state->has_happened, true)) state->result = state->happen();
      };
      auto deliver = [state, arrive, first = failure](const std::optional<StoreFailure>& later) {
        const std::optional<StoreFailure> both = first ? first : later;
        if (happens(both)) arrive();
        if (both) {
          state->answer(status_of(*both), T{});
        } else {
          state->answer({}, std::move(state->result));
        }
      };
      if (hold == Hold::answer && happens(failure)) arrive();
      held_.push_back({record, std::move(deliver), std::move(arrive)});
      return;
    }
    if (happens(failure)) result = happen();
  }
  if (failure) {
    answer(status_of(*failure), T{});
  } else {
    answer({}, std::move(result));
  }
}

void FakeParkingStore::run(StoreCallRecord record, std::function<void()> happen, StoreDone answer) noexcept {
  run<char>(
      std::move(record),
      [happen = std::move(happen)] {
        happen();
        return '\0';
      },
      [answer = std::move(answer)](StoreStatus status, char) { answer(std::move(status)); });
}

std::optional<StoreFailure> FakeParkingStore::failure_of(const StoreCallRecord& record) {
  Order& order = orders_.at(index_of(record.call));
  if (order.count != 0) {
    if (order.count > 0) --order.count;
    return order.failure;
  }
  return rule_ ? rule_(record) : std::nullopt;
}

// --- parking -------------------------------------------------------------------------------------

void FakeParkingStore::open_segment(const SegmentHead& head, StoreDone done) noexcept {
  const ClusterMemory memory;
  run(
      {StoreCall::open_segment, head.name},
      [this, head] {
        KeptSegment& kept = row_of(head.name);
        kept.has_head = true;
        kept.entry.head = head;
        buckets_[{head.name.shard, head.name.bucket}] = clock_.steady_now() + options_.directory_ttl;
      },
      std::move(done));
}

void FakeParkingStore::put_chunk(const SegmentName& segment, const StoredChunk& chunk, std::int64_t timestamp_us,
                                 StoreDone done) noexcept {
  const ClusterMemory memory;
  run(
      {StoreCall::put_chunk, segment, chunk.position, chunk.id, timestamp_us},
      [this, segment, chunk, timestamp_us] {
        const auto row = segments_.find(segment);
        if (row == segments_.end() || !row->second.has_head) ++violation_count_;
        const auto [place, is_new] = chunks_[segment.id].try_emplace(chunk.position);
        KeptChunk& kept = place->second;
        if (!is_new && (kept.timestamp_us != timestamp_us || kept.chunk.id != chunk.id)) ++violation_count_;
        if (is_new || timestamp_us >= kept.timestamp_us)
          kept = {chunk, timestamp_us, clock_.steady_now() + options_.chunk_ttl};
      },
      std::move(done));
}

void FakeParkingStore::seal_segment(const SegmentName& segment, base::WallTime at, const SegmentSummary& summary,
                                    StoreDone done) noexcept {
  const ClusterMemory memory;
  run(
      {StoreCall::seal_segment, segment, summary.chunk_count},
      [this, segment, at, summary] {
        KeptSegment& kept = row_of(segment);
        kept.entry.sealed_at = at;
        kept.entry.summary = summary;
      },
      std::move(done));
}

bool FakeParkingStore::has_window(std::uint64_t /*bytes*/) const noexcept {
  const std::lock_guard lock(mutex_);
  return window_;
}

// --- rows ----------------------------------------------------------------------------------------

void FakeParkingStore::put_rows(const TraceRows& rows, std::int64_t timestamp_us, StoreDone done) noexcept {
  std::vector<KeptRow> kept;
  for (const SpanRow& row : rows.rows) {
    kept.push_back({rows.trace_id,
                    std::string(row.span_id),
                    row.start,
                    std::string(row.service),
                    std::string(row.operation),
                    {row.trace_data.begin(), row.trace_data.end()},
                    timestamp_us,
                    clock_.steady_now() + options_.row_ttl});
  }
  run(
      {.call = StoreCall::put_rows,
       .position = static_cast<std::int32_t>(rows.rows.size()),
       .timestamp_us = timestamp_us},
      [this, kept = std::move(kept)] {
        for (const KeptRow& row : kept) {
          KeptRow& place = rows_[{row.trace_id, row.span_id}];
          if (row.timestamp_us >= place.timestamp_us) place = row;
        }
      },
      std::move(done));
}

void FakeParkingStore::put_entries(const TraceEntries& entries, std::int64_t timestamp_us, StoreDone done) noexcept {
  run(
      {.call = StoreCall::put_entries, .timestamp_us = timestamp_us},
      [this, entries] {
        auto& partition = entries_[{entries.service, entries.bucket}];
        for (const TraceEntry& entry : entries.entries) partition[{entry.start, entry.trace_id}] = entry;
      },
      std::move(done));
}

void FakeParkingStore::put_names(const std::string& service, const std::vector<std::string>& operations,
                                 StoreDone done) noexcept {
  run(
      {.call = StoreCall::put_names},
      [this, service, operations] { names_[service].insert(operations.begin(), operations.end()); }, std::move(done));
}

void FakeParkingStore::mark_rows(const SegmentName& segment, std::int32_t position, StoreDone done) noexcept {
  run(
      {StoreCall::mark_rows, segment, position},
      [this, segment, position] { row_of(segment).entry.rows_position = position; }, std::move(done));
}

// --- recovery ------------------------------------------------------------------------------------

void FakeParkingStore::list_buckets(std::int16_t shard, StoreRead<std::vector<base::WallTime>> done) noexcept {
  run<std::vector<base::WallTime>>(
      {.call = StoreCall::list_buckets},
      [this, shard] {
        std::vector<base::WallTime> all;
        for (const auto& [name, ends_at] : buckets_)
          if (name.first == shard && ends_at > clock_.steady_now()) all.push_back(name.second);
        return all;
      },
      std::move(done));
}

void FakeParkingStore::list_segments(base::WallTime bucket, std::int16_t shard, std::vector<std::byte> page,
                                     StoreRead<Page<SegmentEntry>> done) noexcept {
  run<Page<SegmentEntry>>(
      {.call = StoreCall::list_segments},
      [this, bucket, shard, page] {
        Page<SegmentEntry> answer;
        const Uuid from = page.empty() ? Uuid{} : base::load<Uuid>(page.data());
        for (const auto& [name, kept] : segments_) {
          const auto entry = visible(kept);
          if (name.bucket != bucket || name.shard != shard || name.id < from || !entry) continue;
          if (answer.items.size() == options_.page_size) {
            answer.next.assign(name.id.bytes.begin(), name.id.bytes.end());
            break;
          }
          answer.items.push_back(*entry);
        }
        return answer;
      },
      std::move(done));
}

void FakeParkingStore::read_segment(const SegmentName& segment, StoreRead<std::optional<SegmentEntry>> done) noexcept {
  const ClusterMemory memory;
  run<std::optional<SegmentEntry>>(
      {StoreCall::read_segment, segment},
      [this, segment]() -> std::optional<SegmentEntry> {
        const auto found = segments_.find(segment);
        return found == segments_.end() ? std::nullopt : visible(found->second);
      },
      std::move(done));
}

void FakeParkingStore::read_chunks(const Uuid& segment, std::int32_t from, std::uint32_t limit,
                                   StoreRead<std::vector<StoredChunk>> done) noexcept {
  StoreCallRecord record{.call = StoreCall::read_chunks};
  record.segment.id = segment;
  record.position = from;
  run<std::vector<StoredChunk>>(
      std::move(record),
      [this, segment, from, limit] {
        std::vector<StoredChunk> all;
        const auto& kept = chunks_[segment];
        for (auto at = kept.lower_bound(from); at != kept.end() && all.size() < limit; ++at)
          if (at->second.ends_at > clock_.steady_now()) all.push_back(at->second.chunk);
        return all;
      },
      std::move(done));
}

void FakeParkingStore::take_lease(std::int16_t shard, const Uuid& owner, std::chrono::seconds ttl,
                                  StoreRead<Lease> done) noexcept {
  run<Lease>(
      {.call = StoreCall::take_lease, .position = shard},
      [this, shard, owner, ttl] {
        KeptLease& kept = leases_[shard];
        const bool is_free = kept.ends_at <= clock_.steady_now();
        if (is_free) kept = {owner, kept.epoch + 1, clock_.steady_now() + ttl};
        return lease_of(shard, owner);
      },
      std::move(done));
}

void FakeParkingStore::renew_lease(std::int16_t shard, const Uuid& owner, std::int64_t epoch, std::chrono::seconds ttl,
                                   StoreRead<Lease> done) noexcept {
  run<Lease>(
      {.call = StoreCall::renew_lease, .position = shard},
      [this, shard, owner, epoch, ttl] {
        KeptLease& kept = leases_[shard];
        const bool is_ours = kept.ends_at > clock_.steady_now() && kept.owner == owner && kept.epoch == epoch;
        if (is_ours) kept.ends_at = clock_.steady_now() + ttl;
        Lease lease = lease_of(shard, owner);
        lease.held = is_ours;
        return lease;
      },
      std::move(done));
}

void FakeParkingStore::release_lease(std::int16_t shard, const Uuid& owner, std::int64_t epoch,
                                     StoreDone done) noexcept {
  run(
      {.call = StoreCall::release_lease, .position = shard},
      [this, shard, owner, epoch] {
        KeptLease& kept = leases_[shard];
        if (kept.owner == owner && kept.epoch == epoch) kept.ends_at = base::SteadyTime::min();
      },
      std::move(done));
}

void FakeParkingStore::mark_replayed(const SegmentName& segment, const Progress& progress, StoreDone done) noexcept {
  run(
      {StoreCall::mark_replayed, segment, progress.position},
      [this, segment, progress] {
        KeptSegment& kept = row_of(segment);
        SegmentEntry& entry = kept.entry;
        const std::int64_t time = write_time_of_position(progress.position, stage_of(progress));
        if (progress.done_at && time >= kept.ended_time) {
          kept.ended_time = time;
          entry.replayed_at = progress.done_at;
          if (progress.missing) entry.missing = progress.missing;
          if (progress.moved_to) entry.moved_to = progress.moved_to;
        }
        if (time < kept.progress_time) return;
        kept.progress_time = time;
        Progress how_far = progress;
        how_far.done_at.reset();
        how_far.missing.reset();
        how_far.moved_to.reset();
        how_far.apply_to(entry);
      },
      std::move(done));
}

void FakeParkingStore::put_quarantined(const QuarantinedChunk& chunk, StoreDone done) noexcept {
  run(
      {.call = StoreCall::put_quarantined, .chunk_id = chunk.chunk.id},
      [this, chunk] { quarantined_[chunk.chunk.id] = chunk; }, std::move(done));
}

}  // namespace arca::fakes
