// ParkingStore: what the tier asks of Cassandra, in its own words: segments of chunks, a directory of segments, rows
// for look-up, leases, quarantine. CqlStore is the real one (tables: schema.cpp, docs/cassandra.md); tests/fakes has
// one in memory that fails on command. Used by CassandraSink, RowWriter, ParkedSource and `arca query`.
//
// How nothing is lost between a writer and a recoverer that share no clock. A writer counts a chunk as parked only if
// its acknowledgement came within segment_lifetime after the segment was opened, by its own boot-time clock (which goes
// on while the process is stopped); later it parks the chunk anew, in a new segment. A recoverer that has seen a
// segment unsealed for segment_lifetime plus segment_margin, by its own clock, knows that nothing is added to it any
// more that anybody counted: what it reads then is whole. A segment that its writer has sealed is whole at once.
//
// The writer's clock can stand still with all of its machine (a virtual machine that is paused). So the end of a
// segment whose seal was not known says only what was found until then. If the seal, when it comes, counts more, the
// segment is read again: its gaps, and what is behind. The writer believes an end only if all that it counts was found,
// or if it was written by one who knew the seal. What is missing then is lost, and both say so: it never counts as
// delivered.
//
// No row is ever deleted; everything ends by its TTL.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cassandra/cql.hpp"
#include "cassandra/positions.hpp"
#include "model/ack.hpp"
#include "model/chunk.hpp"

namespace arca::cassandra {

// A segment takes chunks for this long, and this many stored bytes, then it is sealed.
inline constexpr base::Duration segment_lifetime = std::chrono::seconds(30);
inline constexpr base::Duration segment_margin = std::chrono::seconds(20);  // longer than any request can be under way
inline constexpr std::uint64_t segment_bytes_max = 32ULL << 20U;
inline constexpr std::chrono::minutes bucket_length{10};  // of the directory
inline constexpr std::int16_t shard_count = 16;

base::WallTime bucket_of(base::WallTime time) noexcept;
// All segments of one writer stand in one shard, so one recoverer sees them all, in their order.
std::int16_t shard_of(model::WriterId writer) noexcept;

// The kinds of rows in overflow_names: a service (of the service ''), and an operation of a service.
inline constexpr std::string_view kind_service = "service";
inline constexpr std::string_view kind_operation = "operation";

// Permanent numbers: they stand in the tables.
enum class Purpose : std::int8_t {
  overflow = 0,  // to be delivered
  archive = 1,   // delivered by its writer, kept for looking at
};
enum class Codec : std::int8_t { none = 0, gzip = 1 };

struct SegmentName {
  base::WallTime bucket{};
  std::int16_t shard = 0;
  Uuid id;
  auto operator<=>(const SegmentName&) const = default;
};

// Written before the first chunk, so that every chunk can be found.
struct SegmentHead {
  SegmentName name;
  model::WriterId writer;
  std::string host;
  base::WallTime opened_at{};
  Purpose purpose = Purpose::overflow;
  bool operator==(const SegmentHead&) const = default;
};

using ItemCounts = std::array<std::uint64_t, model::signal_count>;

// Written when it is sealed: what is in it.
struct SegmentSummary {
  std::int32_t chunk_count = 0;           // positions 0 to chunk_count - 1
  std::vector<UncountedChunk> uncounted;  // at some of them, perhaps: all that follows is without these
  ItemCounts item_count{};
  std::uint64_t raw_bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::optional<base::WallTime> time_min;  // of the items
  std::optional<base::WallTime> time_max;
  std::vector<std::string> services;  // sorted; at most 64, then empty: unknown
};

// What the directory says.
struct SegmentEntry {
  SegmentHead head;
  std::optional<base::WallTime> sealed_at;
  SegmentSummary summary;                     // zero until sealed
  std::int32_t rows_position = 0;             // the rows of all chunks before it are written
  std::int32_t replay_position = 0;           // all chunks before it are delivered, or in quarantine, or a gap
  std::optional<base::WallTime> replayed_at;  // there was nothing behind it then
  ItemCounts replayed_items{};                // of the chunks that were found, whether or not their writer counts them
  ItemCounts quarantined_items{};             // of them, rejected for good
  Gaps gaps;                                  // before replay_position
  std::optional<std::uint64_t> missing;       // items that the seal counts and that are lost, said by who knew the seal
  std::optional<SegmentName> moved_to;        // the rest was written anew into this one
  std::int32_t ttl_left_s = 0;                // until the directory row ends
};

struct StoredChunk {
  std::int32_t position = 0;
  model::ChunkId id;
  model::Signal signal = model::Signal::traces;
  std::uint32_t item_count = 0;
  base::WallTime sealed_at{};
  Codec codec = Codec::none;
  std::uint32_t raw_size = 0;
  std::uint32_t checksum = 0;  // CRC32C of the stored payload
  std::shared_ptr<const std::vector<std::byte>> payload;
};

// What a row may hold: a mutation of Cassandra has at most half a commit log segment (16 MiB), head and all.
inline constexpr std::uint64_t stored_bytes_max = 15ULL << 20U;
inline constexpr std::uint64_t raw_bytes_max = 256ULL << 20U;

// Packs (compresses when that is smaller); ErrorCode::full if it is larger than a row may be. unpack checks, and fails
// with ErrorCode::corrupt.
Result<StoredChunk> pack(const model::Chunk& chunk);
Result<model::Chunk> unpack(const StoredChunk& stored);

// A row of traces_overflow. All of it borrows from the owner of its TraceRows.
struct SpanRow {
  std::string_view span_id;  // lower-case hex
  base::WallTime start{};
  std::string_view service;
  std::string_view operation;
  base::Bytes trace_data;  // one TracesData with this span alone
};
struct TraceRows {
  std::string trace_id;  // lower-case hex, not empty
  std::vector<SpanRow> rows;
  std::shared_ptr<const void> owner{};  // keeps the rows' bytes; null: they are valid while the call lasts
};

// A line of the index by service and time: what one chunk says of one trace in one service.
struct TraceEntry {
  std::string trace_id;
  base::WallTime start{};
  base::Duration duration{};  // from the first start to the last end
  std::string operation;      // of the root span, else of the earliest
  std::uint32_t span_count = 0;
  std::uint32_t error_count = 0;  // spans with status error
};
// Of one service and one bucket of bucket_length: one partition.
struct TraceEntries {
  std::string service;
  base::WallTime bucket{};
  std::vector<TraceEntry> entries;
};

struct QuarantinedChunk {
  StoredChunk chunk;
  std::uint32_t refused_item_count = 0;  // of a chunk that was taken but for these; else all of them
  std::string reason;
  base::WallTime at{};
};

struct Lease {
  bool held = false;       // by the one who asked
  Uuid owner;              // who holds it, as far as known
  std::int64_t epoch = 0;  // rises with every new owner
};

// How an operation ended. Outcome as for the statements that it is made of; `unknown` may be repeated.
struct StoreStatus {
  Outcome outcome = Outcome::ok;
  Refusal refusal = Refusal::none;
  std::string message;
  [[nodiscard]] bool ok() const noexcept { return outcome == Outcome::ok; }
};
using StoreDone = std::function<void(StoreStatus)>;
template <class T>
using StoreRead = std::function<void(StoreStatus, T)>;  // T is empty unless ok

template <class T>
struct Page {
  std::vector<T> items;
  std::vector<std::byte> next;  // empty: this was the last
};

// Thread-safe. Asynchronous: each callback is called exactly once, from a thread of the client or before the call
// returns; it must not wait, and may call back. Operations that write take the timestamp of their first attempt, so
// that a repetition is the same statement.
class ParkingStore {
 public:
  virtual ~ParkingStore() = default;

  // --- parking ---
  virtual void open_segment(const SegmentHead& head, StoreDone done) noexcept = 0;
  virtual void put_chunk(const SegmentName& segment, const StoredChunk& chunk, std::int64_t timestamp_us,
                         StoreDone done) noexcept = 0;
  virtual void seal_segment(const SegmentName& segment, base::WallTime at, const SegmentSummary& summary,
                            StoreDone done) noexcept = 0;
  [[nodiscard]] virtual bool has_window(std::uint64_t bytes) const noexcept = 0;

  // --- rows for look-up ---
  virtual void put_rows(const TraceRows& rows, std::int64_t timestamp_us, StoreDone done) noexcept = 0;
  virtual void put_entries(const TraceEntries& entries, std::int64_t timestamp_us, StoreDone done) noexcept = 0;
  virtual void put_names(const std::string& service, const std::vector<std::string>& operations,
                         StoreDone done) noexcept = 0;
  virtual void mark_rows(const SegmentName& segment, std::int32_t position, StoreDone done) noexcept = 0;

  // --- recovery ---
  // Buckets of a shard that have segments, oldest first.
  virtual void list_buckets(std::int16_t shard, StoreRead<std::vector<base::WallTime>> done) noexcept = 0;
  virtual void list_segments(base::WallTime bucket, std::int16_t shard, std::vector<std::byte> page,
                             StoreRead<Page<SegmentEntry>> done) noexcept = 0;
  virtual void read_segment(const SegmentName& segment, StoreRead<std::optional<SegmentEntry>> done) noexcept = 0;
  // Chunks from a position on, in their order, at most `limit`.
  virtual void read_chunks(const Uuid& segment, std::int32_t from, std::uint32_t limit,
                           StoreRead<std::vector<StoredChunk>> done) noexcept = 0;
  // By LWT; a lease ends by itself unless renewed. It lasts for `ttl`, counted from when it was asked for; up to a
  // second longer for the others.
  virtual void take_lease(std::int16_t shard, const Uuid& owner, std::chrono::seconds ttl,
                          StoreRead<Lease> done) noexcept = 0;
  virtual void renew_lease(std::int16_t shard, const Uuid& owner, std::int64_t epoch, std::chrono::seconds ttl,
                           StoreRead<Lease> done) noexcept = 0;
  virtual void release_lease(std::int16_t shard, const Uuid& owner, std::int64_t epoch, StoreDone done) noexcept = 0;
  // Progress never goes back: the greatest position wins, at one position the end, and of two ends the one that knew
  // the seal, whoever writes it and whatever his clock says.
  struct Progress {
    std::int32_t position = 0;
    std::optional<base::WallTime> done_at;  // set: there is nothing behind it
    ItemCounts quarantined_items{};
    ItemCounts replayed_items{};
    Gaps gaps{};
    std::optional<std::uint64_t> missing{};  // set with done_at, if the seal was known
    std::optional<SegmentName> moved_to{};   // as well
    // What the directory says when this is written.
    void apply_to(SegmentEntry& entry) const;
  };
  virtual void mark_replayed(const SegmentName& segment, const Progress& progress, StoreDone done) noexcept = 0;
  virtual void put_quarantined(const QuarantinedChunk& chunk, StoreDone done) noexcept = 0;
};

}  // namespace arca::cassandra
