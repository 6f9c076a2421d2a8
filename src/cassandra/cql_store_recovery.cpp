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
void read_buckets(Cql& cql, Statement statement, const ShardKey& shard, std::vector<std::byte> page,
                  const std::shared_ptr<Buckets>& before, const Kept<StoreRead<Buckets>>& done) {
  Request request;
  request.statement = statement;
  request.values.text(shard.datacenter).smallint(shard.shard);
  request.paging_state = std::move(page);
  AnswerCallback answered = [&cql, statement, datacenter = std::string(shard.datacenter), number = shard.shard, before,
                             done](const Answer& answer) {
    if (!answer.ok()) return (*done)(status_of(answer), {});
    const base::Bytes next = answer.rows ? answer.rows->paging_state() : base::Bytes();
    const bool is_taken = attempt(done, [&] {
      for (std::size_t i = 0; i < answer.row_count(); ++i) {
        if (const auto bucket = answer.row(i).timestamp(0)) before->push_back(*bucket);
      }
      if (!next.empty()) read_buckets(cql, statement, {datacenter, number}, {next.begin(), next.end()}, before, done);
    });
    if (is_taken && next.empty()) (*done)({}, std::move(*before));
  };
  cql.execute(std::move(request), std::move(answered));
}

}  // namespace

void CqlStore::list_buckets(std::int16_t shard, StoreRead<Buckets> done) noexcept {
  attempt_with(std::move(done), [&](const Kept<StoreRead<Buckets>>& kept) {
    const ShardKey key{state_->datacenter(), shard};
    read_buckets(state_->cql, state_->statements.list_buckets, key, {}, std::make_shared<Buckets>(), kept);
  });
}

void CqlStore::list_segments(base::WallTime bucket, std::int16_t shard, std::vector<std::byte> page,
                             StoreRead<Page<SegmentEntry>> done) noexcept {
  const auto make = [&] {
    Request request;
    request.statement = state_->statements.list_segments;
    request.values.text(state_->datacenter()).timestamp(bucket).smallint(shard);
    request.page_size = directory_page_size;
    request.paging_state = std::move(page);
    return request;
  };
  const auto decode = [bucket, shard](const Answer& answer) {
    Page<SegmentEntry> found;
    for (std::size_t i = 0; i < answer.row_count(); ++i) {
      if (auto entry = segment_of(answer.row(i), bucket, shard)) found.items.push_back(std::move(*entry));
    }
    const base::Bytes next = answer.rows ? answer.rows->paging_state() : base::Bytes();
    found.next.assign(next.begin(), next.end());
    return found;
  };
  send_read<Page<SegmentEntry>>(state_->cql, make, decode, std::move(done));
}

void CqlStore::read_segment(const SegmentName& segment, StoreRead<std::optional<SegmentEntry>> done) noexcept {
  const auto make = [&] {
    Request request;
    request.statement = state_->statements.read_segment;
    state_->add_key(request.values, segment);
    return request;
  };
  const auto decode = [segment](const Answer& answer) -> std::optional<SegmentEntry> {
    if (answer.row_count() == 0) return std::nullopt;
    return segment_of(answer.row(0), segment.bucket, segment.shard);
  };
  send_read<std::optional<SegmentEntry>>(state_->cql, make, decode, std::move(done));
}

void CqlStore::read_chunks(const Uuid& segment, std::int32_t from, std::uint32_t limit,
                           StoreRead<std::vector<StoredChunk>> done) noexcept {
  const auto make = [&] {
    Request request;
    request.statement = state_->statements.read_chunks;
    request.values.uuid(segment).integer(from).integer(signed_of(limit));
    request.page_size = limit;  // so that one answer holds them all
    return request;
  };
  const auto decode = [](const Answer& answer) {
    std::vector<StoredChunk> chunks;
    chunks.reserve(answer.row_count());
    for (std::size_t i = 0; i < answer.row_count(); ++i) {
      const Row row = answer.row(i);
      chunks.push_back(chunk_of(row, row.integer(0).value_or(0), 1));
    }
    return chunks;
  };
  send_read<std::vector<StoredChunk>>(state_->cql, make, decode, std::move(done));
}

void CqlStore::take_lease(std::int16_t shard, const Uuid& owner, std::chrono::seconds ttl,
                          StoreRead<Lease> done) noexcept {
  state_->leases.take({state_->datacenter(), shard}, owner, ttl, std::move(done));
}

void CqlStore::renew_lease(std::int16_t shard, const Uuid& owner, std::int64_t epoch, std::chrono::seconds ttl,
                           StoreRead<Lease> done) noexcept {
  state_->leases.renew({state_->datacenter(), shard}, owner, epoch, ttl, std::move(done));
}

void CqlStore::release_lease(std::int16_t shard, const Uuid& owner, std::int64_t epoch, StoreDone done) noexcept {
  state_->leases.release({state_->datacenter(), shard}, owner, epoch, std::move(done));
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
    state_->add_key(request.values, segment);
    return request;
  };
  send_request(state_->cql, make, std::move(done));
}

void CqlStore::put_quarantined(const QuarantinedChunk& chunk, StoreDone done) noexcept {
  const auto make = [&] {
    Request request;
    request.statement = state_->statements.put_quarantined;
    request.timestamp_us = write_time(chunk.at);
    request.values.timestamp(std::chrono::floor<std::chrono::hours>(chunk.at))
        .smallint(quarantine_shard_of(chunk.chunk.id))
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
