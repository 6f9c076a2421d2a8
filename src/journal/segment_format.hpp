// The bytes of a segment: constants, and structures as they stand on disk, with one function each way. Used by the
// journal, which writes them, and by SegmentReader. docs/journal_format.md explains them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "model/ack.hpp"
#include "model/chunk.hpp"
#include "model/totals.hpp"

namespace arca::journal {

inline constexpr std::uint64_t segment_magic = 0x31474553'41435241ULL;  // "ARCASEG1"
inline constexpr std::uint32_t format_version = 1;
inline constexpr std::size_t segment_header_size = 64;
inline constexpr std::size_t record_header_size = 56;
inline constexpr std::size_t record_alignment = 8;
inline constexpr std::size_t totals_payload_size = model::signal_count * 7 * 8;
inline constexpr std::size_t index_entry_size = 56;
inline constexpr std::uint64_t trailer_magic = 0x444E4547'41435241ULL;  // "ARCAGEND"
inline constexpr std::size_t trailer_size = 24;
inline constexpr std::uint64_t payload_size_max = 1ULL << 31U;  // nothing larger is written or believed

static_assert(segment_header_size % record_alignment == 0 && record_header_size % record_alignment == 0);
static_assert(trailer_size % record_alignment == 0 && index_entry_size == record_header_size);

constexpr std::uint64_t aligned(std::uint64_t size) noexcept {
  return (size + record_alignment - 1) / record_alignment * record_alignment;
}
constexpr std::uint64_t record_size(std::uint64_t payload_size) noexcept {
  return record_header_size + aligned(payload_size);
}
// The snapshot of the totals stands first in each segment; chunks and settlements follow.
inline constexpr std::uint64_t first_record_offset = segment_header_size + record_size(totals_payload_size);

// Permanent numbers.
enum class RecordType : std::uint8_t {
  chunk = 1,   // header and payload of a chunk
  settle = 2,  // a verdict on a chunk: header only
  totals = 3,  // snapshot of the totals before this segment
  index = 4,   // at a clean close: the headers of all records of the segment, without payloads
};

// How a chunk ended. 1 to 3 are model::Verdict.
enum class Settlement : std::uint8_t {
  none = 0,
  delivered = 1,
  parked = 2,
  rejected = 3,
  lost = 7,  // found damaged when it was claimed, or rejected and kept nowhere
};

struct SegmentHeader {
  std::uint32_t version = format_version;
  model::WriterId writer;
  std::uint64_t number = 0;
  base::WallTime created_at;
  std::uint64_t record_magic = 0;  // begins every record; differs from segment to segment
};

struct RecordHeader {
  RecordType type = RecordType::chunk;
  model::Signal signal = model::Signal::traces;
  Settlement settlement = Settlement::none;
  bool is_copy = false;           // rewritten after a failed sync: counted where it stood first
  bool refused_are_lost = false;  // settle: the quarantine could not keep them
  std::uint32_t payload_size = 0;
  model::ChunkId id;
  base::WallTime sealed_at;
  std::uint32_t item_count = 0;
  std::uint32_t payload_crc = 0;
  std::uint32_t refused_item_count = 0;  // settle: of a delivered chunk, what the Collector refused
};

using RecordHeaderBytes = std::array<std::byte, record_header_size>;
using SegmentHeaderBytes = std::array<std::byte, segment_header_size>;
using TrailerBytes = std::array<std::byte, trailer_size>;

// A value that no payload contains but by intent: mixed from what is peculiar to the segment.
std::uint64_t record_magic_of(model::WriterId writer, std::uint64_t number, base::WallTime created_at) noexcept;

SegmentHeaderBytes encode_segment_header(const SegmentHeader& header) noexcept;

enum class HeaderState : std::uint8_t { good, unknown_version, foreign, damaged };
struct DecodedSegmentHeader {
  HeaderState state = HeaderState::foreign;
  SegmentHeader header;  // as far as it can be read
};
DecodedSegmentHeader decode_segment_header(base::Bytes bytes) noexcept;

// The header's checksum also covers the offset at which the record stands, so that a copy of a record inside
// somebody's payload is never taken for one.
RecordHeaderBytes encode_record_header(const RecordHeader& header, std::uint64_t magic, std::uint64_t offset) noexcept;
std::optional<RecordHeader> decode_record_header(base::Bytes bytes, std::uint64_t magic, std::uint64_t offset) noexcept;

// Adds what a settlement says to the totals of its signal.
void count_settlement(const RecordHeader& header, model::SignalTotals& totals) noexcept;

std::vector<std::byte> encode_totals(const model::Totals& totals);
std::optional<model::Totals> decode_totals(base::Bytes bytes) noexcept;

TrailerBytes encode_trailer(std::uint64_t index_offset, std::uint64_t magic) noexcept;
std::optional<std::uint64_t> decode_trailer(base::Bytes bytes, std::uint64_t magic) noexcept;

// "000000000000002a.segment" and back; nothing for any other name.
std::string segment_name(std::uint64_t number);
std::optional<std::uint64_t> parse_segment_name(std::string_view name) noexcept;

}  // namespace arca::journal
