// The rows for look-up that a dead writer has not written: ParkedSource hands its chunks to the row writer.
#include <algorithm>
#include <limits>
#include <utility>

#include "cassandra/parked_source_state.hpp"

namespace arca::cassandra {
namespace {

constexpr std::uint32_t page_size = 8;
constexpr std::uint64_t pending_max = 64;  // chunks that the row writer has not written yet

}  // namespace

// Positions in it; nothing if nobody has said so yet.
std::optional<std::int32_t> ParkedSource::State::chunk_count_of(const ParkedSegment& segment) {
  if (segment.entry.sealed_at) return segment.entry.summary.chunk_count;
  if (segment.entry.replayed_at) return segment.entry.replay_position;
  return std::nullopt;
}

bool ParkedSource::State::rows_are_missing(const ParkedSegment& segment) const {
  if (rows_ == nullptr || segment.rows_are_handed_over) return false;
  const std::optional<std::int32_t> count = chunk_count_of(segment);
  return !count || segment.entry.rows_position < *count;
}

bool ParkedSource::State::rows_are_due(const ParkedSegment& segment, base::SteadyTime now) const {
  return rows_are_missing(segment) && segment.is_whole(now, wait_) && segment.rows_seen >= 0 &&
         now - segment.rows_moved_at >= std::max(options_.rows_still_time, wait_);
}

// One segment at a time: it is in nobody's way.
base::SteadyTime ParkedSource::State::tend_rows(base::SteadyTime now) {
  if (rows_ == nullptr) return base::never;
  if (!rows_job_) {
    for (const Shard& shard : shards_) {
      if (!is_valid(shard)) continue;
      const auto due = std::find_if(shard.segments.begin(), shard.segments.end(),
                                    [&](const auto& each) { return rows_are_due(*each.second, now); });
      if (due == shard.segments.end()) continue;
      rows_job_ = RowsJob{.shard = shard.number,
                          .epoch = shard.held.epoch,
                          .order = due->first,
                          .name = due->second->entry.head.name,
                          .cursor = due->second->entry.rows_position};
      break;
    }
    if (!rows_job_) return base::never;
  }
  RowsJob& job = *rows_job_;
  if (job.is_under_way) return base::never;
  const Shard& shard = shards_[static_cast<std::size_t>(job.shard)];
  if (!is_valid(shard) || shard.held.epoch != job.epoch) {  // the next holder begins anew; the rows are the same
    rows_job_.reset();
    return now;
  }
  if (job.again_at > now) return job.again_at;
  if (rows_->status().pending_chunk_count >= pending_max) {
    job.again_at = now + std::chrono::milliseconds(100);
    return job.again_at;
  }
  auto answer =
      later<StoreStatus, std::vector<StoredChunk>>([this](const StoreStatus& status, std::vector<StoredChunk> chunks) {
        take_row_chunks(status, std::move(chunks));
      });
  job.is_under_way = true;
  call([this, id = job.name.id, from = job.cursor, answer = std::move(answer)] {
    store_.read_chunks(id, from, page_size, answer);
  });
  return base::never;
}

void ParkedSource::State::take_row_chunks(const StoreStatus& status, std::vector<StoredChunk> chunks) {
  RowsJob& job = *rows_job_;
  job.is_under_way = false;
  if (!status.ok()) {
    note_failure("read chunks whose rows are missing", status);
    job.again_at = clock_.steady_now() + backoff(++job.failure_count);
    return;
  }
  job.failure_count = 0;
  std::erase_if(chunks, [](const StoredChunk& chunk) { return chunk.position >= positions_max; });
  if (!chunks.empty()) {
    job.cursor = chunks.back().position + 1;
    call([this, name = job.name, all = std::move(chunks)] {
      for (const StoredChunk& chunk : all) rows_->add(name, chunk);
    });
    return;
  }
  // The row writer says in the directory when all are written; until then the segment is not handed over again.
  auto& segments = shards_[static_cast<std::size_t>(job.shard)].segments;
  std::int32_t count = job.cursor;
  std::function<void()> done;
  if (const auto found = segments.find(job.order); found != segments.end()) {
    ParkedSegment& segment = *found->second;
    count = std::max(count, chunk_count_of(segment).value_or(0));
    segment.rows_are_handed_over = true;
    if (segment.entry.head.purpose == Purpose::archive && !segment.entry.sealed_at) {
      // Nobody else will ever say how much is in it; else its rows would be written again and again.
      done = later<>([this, name = job.name, count] {
        ParkingStore::Progress progress;
        progress.position = count;
        progress.done_at = clock_.wall_now();
        call([this, name, progress] { store_.mark_replayed(name, progress, [](const StoreStatus&) {}); });
      });
    }
    if (!segment.is_undone()) drop(shards_[static_cast<std::size_t>(job.shard)], job.order);
  }
  call([this, name = job.name, count, done = std::move(done)] { rows_->end(name, count, done); });
  rows_job_.reset();
}

}  // namespace arca::cassandra
