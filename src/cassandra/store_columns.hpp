// Columns of the tables as our words, and back: the directory's and the chunks'. Used by CqlStore.
#pragma once

#include <optional>
#include <string_view>

#include "cassandra/store.hpp"

namespace arca::cassandra {

// A partition that many write into at the same time is cut into so many: of the index by service and time, read as one;
// and of the quarantine.
inline constexpr std::int16_t index_shard_count = 8;
inline constexpr std::int16_t quarantine_shard_count = 16;
// All lines of one chunk, service and bucket stand in one, so that they are one write.
std::int16_t index_shard_of(const TraceEntries& entries) noexcept;
std::int16_t quarantine_shard_of(const model::ChunkId& id) noexcept;

// In the order in which the functions below read and write them.
inline constexpr std::string_view segment_columns =
    "segment, writer, host, purpose, opened_at, sealed_at, chunks, spans, points, log_records, raw_bytes, "
    "stored_bytes, "
    "time_min, time_max, services, rows_position, replay_position, replayed_at, quarantined_spans, quarantined_points, "
    "quarantined_log_records, "
    "replayed_spans, replayed_points, replayed_log_records, gaps, missing, moved_bucket, moved_to, uncounted, "
    "TTL(writer)";
inline constexpr std::string_view chunk_columns =
    "writer, sequence, signal, items, sealed_at_ns, codec, raw_size, checksum, payload";

// Nothing for what is left of a row whose head has reached its TTL: its chunks have ended a day before.
std::optional<SegmentEntry> segment_of(const Row& row, base::WallTime bucket, std::int16_t shard);

// `column` is where chunk_columns begin.
StoredChunk chunk_of(const Row& row, std::int32_t position, std::size_t column);
// Borrows the payload; two values stand in the columns' order before and after others: writer and sequence first.
void add_chunk_id(Values& values, const StoredChunk& chunk);
void add_chunk_body(Values& values, const StoredChunk& chunk);

// Columns that hold a number of items for each signal.
void add_item_counts(Values& values, const ItemCounts& counts);

// Integers of CQL have a sign, ours have none: the same bits stand in both.
inline std::int64_t signed_of(std::uint64_t value) noexcept { return static_cast<std::int64_t>(value); }
inline std::int32_t signed_of(std::uint32_t value) noexcept { return static_cast<std::int32_t>(value); }

// Microseconds since 1970: the timestamp of a write.
std::int64_t write_time(base::WallTime at) noexcept;
// The timestamp of a write that may only ever rise: the position itself. So the greatest position wins, and at one
// position the greatest stage, whoever writes it and whatever his clock says.
enum class Stage : std::uint8_t { on_the_way = 0, ended = 1, ended_by_its_seal = 2 };
constexpr std::int64_t write_time_of_position(std::int32_t position, Stage stage = Stage::on_the_way) noexcept {
  return (std::int64_t{position} + 1) * 4 + static_cast<std::int64_t>(stage);
}
inline Stage stage_of(const ParkingStore::Progress& progress) noexcept {
  if (!progress.done_at) return Stage::on_the_way;
  return progress.missing || progress.moved_to ? Stage::ended_by_its_seal : Stage::ended;
}

}  // namespace arca::cassandra
