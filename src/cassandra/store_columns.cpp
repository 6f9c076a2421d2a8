#include "cassandra/store_columns.hpp"

#include <algorithm>
#include <span>

#include "base/crc32c.hpp"

namespace arca::cassandra {
namespace {

// Anybody may have written anything; a negative number of ours is none.
std::uint64_t count_in(const Row& row, std::size_t column) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, row.bigint(column).value_or(0)));
}

std::int32_t position_in(const Row& row, std::size_t column) noexcept {
  return std::clamp(row.integer(column).value_or(0), 0, positions_max);
}

ItemCounts item_counts_in(const Row& row, std::size_t column) noexcept {
  return {count_in(row, column), count_in(row, column + 1), count_in(row, column + 2)};
}

}  // namespace

// The signals' columns stand in the order of model::Signal: traces, metrics, logs.
static_assert(model::index_of(model::Signal::traces) == 0 && model::index_of(model::Signal::metrics) == 1 &&
              model::index_of(model::Signal::logs) == 2);

std::optional<SegmentEntry> segment_of(const Row& row, base::WallTime bucket, std::int16_t shard) {
  const auto id = row.uuid(0);
  const auto writer = row.bigint(1);
  if (!id || !writer) return std::nullopt;
  SegmentEntry entry;
  entry.head.name = {bucket, shard, *id};
  entry.head.writer.value = static_cast<std::uint64_t>(*writer);
  entry.head.host = row.text(2);
  entry.head.purpose = static_cast<Purpose>(row.tinyint(3).value_or(0));
  entry.head.opened_at = std::max(row.timestamp(4).value_or(base::WallTime{}), base::WallTime{});
  entry.sealed_at = row.timestamp(5);
  entry.summary.chunk_count = position_in(row, 6);
  entry.summary.item_count = item_counts_in(row, 7);
  entry.summary.raw_bytes = count_in(row, 10);
  entry.summary.stored_bytes = count_in(row, 11);
  entry.summary.time_min = row.timestamp(12);
  entry.summary.time_max = row.timestamp(13);
  entry.summary.services = row.text_set(14);
  entry.rows_position = position_in(row, 15);
  entry.replay_position = position_in(row, 16);
  entry.replayed_at = row.timestamp(17);
  entry.quarantined_items = item_counts_in(row, 18);
  entry.replayed_items = item_counts_in(row, 21);
  entry.gaps = gaps_of(row.text(24));
  if (!row.is_null(25)) entry.missing = count_in(row, 25);
  const auto moved_bucket = row.timestamp(26);
  const auto moved_to = row.uuid(27);
  if (moved_bucket && moved_to) entry.moved_to = SegmentName{*moved_bucket, shard, *moved_to};
  entry.summary.uncounted = uncounted_of(row.text(28));
  entry.ttl_left_s = row.integer(29).value_or(0);
  return entry;
}

StoredChunk chunk_of(const Row& row, std::int32_t position, std::size_t column) {
  StoredChunk chunk;
  chunk.position = position;
  chunk.id.writer.value = static_cast<std::uint64_t>(row.bigint(column).value_or(0));
  chunk.id.sequence = static_cast<std::uint64_t>(row.bigint(column + 1).value_or(0));
  // Numbers that we do not know come through as they are: unpack() says that the chunk is damaged.
  chunk.signal = static_cast<model::Signal>(row.tinyint(column + 2).value_or(-1));
  const std::int32_t items = row.integer(column + 3).value_or(-1);
  chunk.item_count = static_cast<std::uint32_t>(std::max(0, items));
  chunk.sealed_at = base::WallTime(base::Duration(row.bigint(column + 4).value_or(0)));
  chunk.codec = static_cast<Codec>(items < 0 ? -1 : row.tinyint(column + 5).value_or(-1));
  chunk.raw_size = static_cast<std::uint32_t>(row.integer(column + 6).value_or(0));
  chunk.checksum = static_cast<std::uint32_t>(row.integer(column + 7).value_or(0));
  const base::Bytes payload = row.bytes(column + 8);
  chunk.payload = std::make_shared<const std::vector<std::byte>>(payload.begin(), payload.end());
  return chunk;
}

void add_chunk_id(Values& values, const StoredChunk& chunk) {
  values.bigint(signed_of(chunk.id.writer.value)).bigint(signed_of(chunk.id.sequence));
}

void add_chunk_body(Values& values, const StoredChunk& chunk) {
  values.tinyint(static_cast<std::int8_t>(chunk.signal))
      .integer(signed_of(chunk.item_count))
      .bigint(chunk.sealed_at.time_since_epoch().count())
      .tinyint(static_cast<std::int8_t>(chunk.codec))
      .integer(signed_of(chunk.raw_size))
      .integer(signed_of(chunk.checksum));
  if (chunk.payload == nullptr) {
    values.blob({});
  } else {
    values.borrow(*chunk.payload, chunk.payload);
  }
}

void add_item_counts(Values& values, const ItemCounts& counts) {
  for (const std::uint64_t count : counts) values.bigint(signed_of(count));
}

std::int16_t index_shard_of(const TraceEntries& entries) noexcept {
  if (entries.entries.empty()) return 0;
  const std::string& first = entries.entries.front().trace_id;
  return static_cast<std::int16_t>(base::crc32c(std::as_bytes(std::span(first))) % index_shard_count);
}

std::int16_t quarantine_shard_of(const model::ChunkId& id) noexcept {
  return static_cast<std::int16_t>((id.writer.value + id.sequence) % quarantine_shard_count);
}

std::int64_t write_time(base::WallTime at) noexcept {
  return std::chrono::floor<std::chrono::microseconds>(at.time_since_epoch()).count();
}

}  // namespace arca::cassandra
