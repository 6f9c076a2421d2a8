// What recovery asks of the tables and writes into them.
#include <algorithm>
#include <vector>

#include "cassandra/cql_store_state.hpp"
#include "cassandra/store_call.hpp"
#include "cassandra/store_columns.hpp"

namespace arca::cassandra {
namespace {

constexpr std::uint32_t directory_page_size = 500;

using Buckets = std::vector<base::WallTime>;

// All pages: a TTL has a few thousand buckets at most.
void read_buckets(Cql& cql, Statement statement, std::int16_t shard, std::vector<std::byte> page, Buckets before,
                  StoreRead<Buckets> done) noexcept {
  Request request;
  request.statement = statement;
  request.values.smallint(shard);
  request.paging_state = std::move(page);
  cql.execute(std::move(request), [&cql, statement, shard, buckets = std::move(before),
                                   done = std::move(done)](const Answer& answer) mutable {
    if (!answer.ok()) return done(status_of(answer), {});
    for (std::size_t i = 0; i < answer.row_count(); ++i) {
      if (const auto bucket = answer.row(i).timestamp(0)) buckets.push_back(*bucket);
    }
    const base::Bytes next = answer.rows ? answer.rows->paging_state() : base::Bytes();
    if (next.empty()) return done({}, std::move(buckets));
    read_buckets(cql, statement, shard, {next.begin(), next.end()}, std::move(buckets), std::move(done));
  });
}

// Of a segment, its key in the directory: the values of every WHERE.
void add_key(Values& values, const SegmentName& segment) {
  values.timestamp(segment.bucket).smallint(segment.shard).uuid(segment.id);
}

}  // namespace

void CqlStore::list_buckets(std::int16_t shard, StoreRead<Buckets> done) noexcept {
  read_buckets(state_->cql, state_->statements.list_buckets, shard, {}, {}, std::move(done));
}

void CqlStore::list_segments(base::WallTime bucket, std::int16_t shard, std::vector<std::byte> page,
                             StoreRead<Page<SegmentEntry>> done) noexcept {
  Request request;
  request.statement = state_->statements.list_segments;
  request.values.timestamp(bucket).smallint(shard);
  request.page_size = directory_page_size;
  request.paging_state = std::move(page);
  const auto decode = [bucket, shard](const Answer& answer) {
    Page<SegmentEntry> found;
    for (std::size_t i = 0; i < answer.row_count(); ++i) {
      if (auto entry = segment_of(answer.row(i), bucket, shard)) found.items.push_back(std::move(*entry));
    }
    const base::Bytes next = answer.rows ? answer.rows->paging_state() : base::Bytes();
    found.next.assign(next.begin(), next.end());
    return found;
  };
  send_read<Page<SegmentEntry>>(state_->cql, std::move(request), decode, std::move(done));
}

void CqlStore::read_segment(const SegmentName& segment, StoreRead<std::optional<SegmentEntry>> done) noexcept {
  Request request;
  request.statement = state_->statements.read_segment;
  add_key(request.values, segment);
  const auto decode = [segment](const Answer& answer) -> std::optional<SegmentEntry> {
    if (answer.row_count() == 0) return std::nullopt;
    return segment_of(answer.row(0), segment.bucket, segment.shard);
  };
  send_read<std::optional<SegmentEntry>>(state_->cql, std::move(request), decode, std::move(done));
}

void CqlStore::read_chunks(const Uuid& segment, std::int32_t from, std::uint32_t limit,
                           StoreRead<std::vector<StoredChunk>> done) noexcept {
  Request request;
  request.statement = state_->statements.read_chunks;
  request.values.uuid(segment).integer(from).integer(signed_of(limit));
  request.page_size = limit;  // so that one answer holds them all
  const auto decode = [](const Answer& answer) {
    std::vector<StoredChunk> chunks;
    chunks.reserve(answer.row_count());
    for (std::size_t i = 0; i < answer.row_count(); ++i) {
      const Row row = answer.row(i);
      chunks.push_back(chunk_of(row, row.integer(0).value_or(0), 1));
    }
    return chunks;
  };
  send_read<std::vector<StoredChunk>>(state_->cql, std::move(request), decode, std::move(done));
}

void CqlStore::take_lease(std::int16_t shard, const Uuid& owner, std::chrono::seconds ttl,
                          StoreRead<Lease> done) noexcept {
  state_->leases.take(shard, owner, ttl, std::move(done));
}

void CqlStore::renew_lease(std::int16_t shard, const Uuid& owner, std::int64_t epoch, std::chrono::seconds ttl,
                           StoreRead<Lease> done) noexcept {
  state_->leases.renew(shard, owner, epoch, ttl, std::move(done));
}

void CqlStore::release_lease(std::int16_t shard, const Uuid& owner, std::int64_t epoch, StoreDone done) noexcept {
  state_->leases.release(shard, owner, epoch, std::move(done));
}

void CqlStore::mark_replayed(const SegmentName& segment, const Progress& progress, StoreDone done) noexcept {
  const auto make = [&] {
    Request request;
    request.statement = state_->statements.mark_replayed;
    request.timestamp_us = write_time_of_position(progress.position, stage_of(progress));
    request.values.integer(progress.position);
    progress.done_at ? request.values.timestamp(*progress.done_at) : request.values.unset();
    add_item_counts(request.values, progress.quarantined_items);
    add_item_counts(request.values, progress.replayed_items);
    request.values.text(to_text(progress.gaps));
    progress.missing ? request.values.bigint(signed_of(*progress.missing)) : request.values.unset();
    progress.moved_to ? request.values.timestamp(progress.moved_to->bucket).uuid(progress.moved_to->id)
                      : request.values.unset().unset();
    add_key(request.values, segment);
    return request;
  };
  send_request(state_->cql, make, std::move(done));
}

void CqlStore::put_quarantined(const QuarantinedChunk& chunk, StoreDone done) noexcept {
  const auto make = [&] {
    Request request;
    request.statement = state_->statements.put_quarantined;
    request.timestamp_us = write_time(chunk.at);
    request.values.timestamp(std::chrono::floor<std::chrono::days>(chunk.at))
        .timestamp(chunk.at)
        .text(chunk.reason)
        .integer(signed_of(chunk.refused_item_count));
    add_chunk_id(request.values, chunk.chunk);
    add_chunk_body(request.values, chunk.chunk);
    return request;
  };
  send_request(state_->cql, make, std::move(done));
}

}  // namespace arca::cassandra
