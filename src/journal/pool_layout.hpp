// The bytes of a pool file: what a writer's mapping looks like, and so what it leaves behind when it dies.
// Used by Pool, which writes it, and by PoolView, which reads it from outside. See docs/journal_format.md.
//
//   header | status page | contexts | chunk table | small chunks | large chunks
//
// Every field has one writer at a time. What a reader after a crash relies on is published by a release-store: the
// committed word of a chunk, the state of a range, the index of the totals block.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "model/totals.hpp"

namespace arca::journal::layout {

inline constexpr std::array<char, 8> magic{'A', 'R', 'C', 'A', 'P', 'O', 'O', 'L'};
inline constexpr std::uint32_t format_version = 1;
inline constexpr std::uint32_t encoder_version = 1;  // of the records: OTLP field 2 records, see record_grammar.hpp
inline constexpr std::uint64_t page_size = 4096;
inline constexpr std::uint32_t small_chunk_size = 16U << 10U;
inline constexpr std::uint32_t large_chunk_size = 256U << 10U;
inline constexpr std::uint64_t context_region_size = 256U << 10U;
inline constexpr std::uint32_t ranges_per_chunk = 6;

// committed word: bytes in the low half, items in the high half; one store publishes both.
struct Committed {
  std::uint32_t bytes = 0;
  std::uint32_t items = 0;
  static constexpr Committed unpack(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32U)};
  }
  [[nodiscard]] constexpr std::uint64_t pack() const noexcept {
    return (static_cast<std::uint64_t>(items) << 32U) | bytes;
  }
};

enum class RangeState : std::uint32_t {
  free = 0,
  sealed = 1,  // has its ChunkId; may be on the wire
  delivered = 2,
  parked = 3,
  journaled = 4,
  quarantined = 5,
  lost = 6,  // rejected, and the quarantine could not keep it
};
constexpr bool is_verdict(RangeState state) noexcept {
  return state >= RangeState::delivered && state <= RangeState::lost;
}

// A sealed range of a chunk. Ranges of several chunks may share one sequence: together they are one Chunk.
struct Range {
  std::uint64_t sequence;
  std::int64_t sealed_at_ns;  // since the epoch
  std::uint32_t begin, end;   // bytes in the chunk
  std::uint32_t item_begin, item_end;
  std::uint32_t context_begin, context_end;  // in force before the first and behind the last record
  std::atomic<RangeState> state;
  std::uint32_t refused;  // of its items: quarantined although the rest was delivered
  std::uint32_t damaged;  // of its items: could not be read back, counted as lost
  std::uint32_t spare;
};
static_assert(sizeof(Range) == 56);

enum class ChunkState : std::uint32_t {
  free = 0,
  open = 1,  // a thread appends
  full = 2,  // nobody appends any more
};

struct alignas(64) ChunkEntry {
  std::atomic<std::uint64_t> committed;  // its own cache line: the owner thread stores it with every record
  std::array<std::byte, 56> spare_line;

  std::atomic<ChunkState> state;
  std::uint32_t signal;
  std::uint64_t generation;    // uses of this chunk so far
  std::uint32_t sealed_bytes;  // covered by ranges up to here
  std::uint32_t sealed_items;
  std::uint32_t sealed_context;  // in force there
  std::uint32_t spare;
  std::int64_t owner_thread;  // kernel thread id, for people
  std::uint64_t open_order;   // rises with every chunk that is opened: the order of metrics after a crash
  std::array<std::byte, 16> spare_cold;

  std::array<Range, ranges_per_chunk> ranges;
  std::array<std::byte, 48> spare_end;
};
static_assert(sizeof(ChunkEntry) == 512);

// Two of these; the header's index says which is valid. Every change writes the other one and flips.
struct TotalsBlock {
  model::Totals totals;
  // The last thing that was counted in, so that a crash behind the flip does not count it twice.
  std::uint64_t folded_sequence;
  std::uint32_t folded_chunk, folded_range;
  std::uint64_t recycled_generation;
  std::uint32_t recycled_chunk, spare;
};

struct Header {
  // --- written once ---
  std::array<char, 8> magic;
  std::uint32_t format_version, encoder_version;
  std::uint64_t writer;
  std::int64_t created_at_ns;
  std::int64_t process_id;
  std::uint64_t file_size;
  std::uint64_t context_offset, context_size;
  std::uint64_t table_offset;
  std::uint64_t data_offset;
  std::uint32_t small_count, large_count;
  std::uint32_t small_size, large_size;
  std::uint32_t crc;  // of the bytes before it
  std::uint32_t spare;
  // --- moving ---
  alignas(64) std::atomic<std::uint64_t> next_sequence;
  std::atomic<std::uint64_t> context_used;  // bytes of the context region in use
  std::atomic<std::uint64_t> epoch;         // odd while ranges or totals change: outside readers try again
  alignas(64) std::array<std::atomic<std::uint64_t>, model::signal_count> refused;
  std::array<std::atomic<std::uint64_t>, model::signal_count> direct;  // accepted straight into the journal
  alignas(64) std::atomic<std::uint32_t> totals_index;
  std::array<TotalsBlock, 2> totals;
};
static_assert(sizeof(Header) <= page_size);

// What the live writer says of itself for `arca status`: JSON text under a sequence lock.
struct StatusPage {
  std::atomic<std::uint32_t> version;  // odd while being written
  std::uint32_t size;
  std::array<char, page_size - 8> text;
};
static_assert(sizeof(StatusPage) == page_size);

// An entry of the context region: this, then the resource bytes, then the scope bytes, padded to 8. Ids count
// from 1 in order; the entry is valid once context_used covers it.
struct ContextEntry {
  std::uint32_t resource_size, scope_size;
  std::uint32_t crc;  // of both sizes and all bytes
  std::uint32_t spare;
};
static_assert(sizeof(ContextEntry) == 16);

// Where everything lies for a given number of chunks.
struct Geometry {
  std::uint32_t small_count = 0, large_count = 0;

  static constexpr Geometry for_size(std::uint64_t chunk_bytes) noexcept {
    // A quarter for small chunks: cold threads start there.
    const std::uint64_t small = chunk_bytes / 4 / small_chunk_size;
    const std::uint64_t large = (chunk_bytes - small * small_chunk_size) / large_chunk_size;
    return {static_cast<std::uint32_t>(small), static_cast<std::uint32_t>(large)};
  }
  [[nodiscard]] constexpr std::uint32_t chunk_count() const noexcept { return small_count + large_count; }
  [[nodiscard]] constexpr std::uint64_t context_offset() const noexcept { return 2 * page_size; }
  [[nodiscard]] constexpr std::uint64_t table_offset() const noexcept { return context_offset() + context_region_size; }
  [[nodiscard]] constexpr std::uint64_t data_offset() const noexcept {
    const std::uint64_t end = table_offset() + std::uint64_t{chunk_count()} * sizeof(ChunkEntry);
    return (end + page_size - 1) / page_size * page_size;
  }
  [[nodiscard]] constexpr std::uint64_t file_size() const noexcept { return chunk_offset(chunk_count()); }
  [[nodiscard]] constexpr std::uint64_t chunk_offset(std::uint32_t chunk) const noexcept {
    const std::uint64_t small = chunk < small_count ? chunk : small_count;
    const std::uint64_t large = chunk < small_count ? 0 : chunk - small_count;
    return data_offset() + small * small_chunk_size + large * large_chunk_size;
  }
  [[nodiscard]] constexpr std::uint32_t chunk_size(std::uint32_t chunk) const noexcept {
    return chunk < small_count ? small_chunk_size : large_chunk_size;
  }
};

}  // namespace arca::journal::layout
