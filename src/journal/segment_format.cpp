#include "journal/segment_format.hpp"

#include <algorithm>
#include <bit>

#include "base/crc32c.hpp"

namespace arca::journal {
namespace {

using base::load;
using base::store;

// Offsets within the segment header.
constexpr std::size_t at_version = 8;
constexpr std::size_t at_header_size = 12;
constexpr std::size_t at_segment_writer = 16;
constexpr std::size_t at_number = 24;
constexpr std::size_t at_created = 32;
constexpr std::size_t at_record_magic = 40;
constexpr std::size_t at_segment_crc = 60;

// Offsets within a record header.
constexpr std::size_t at_type = 8;
constexpr std::size_t at_signal = 9;
constexpr std::size_t at_settlement = 10;
constexpr std::size_t at_flags = 11;
constexpr std::size_t at_payload_size = 12;
constexpr std::size_t at_writer = 16;
constexpr std::size_t at_sequence = 24;
constexpr std::size_t at_sealed = 32;
constexpr std::size_t at_items = 40;
constexpr std::size_t at_payload_crc = 44;
constexpr std::size_t at_refused = 48;
constexpr std::size_t at_header_crc = 52;

constexpr std::uint8_t copy_flag = 1;
constexpr std::uint8_t refused_lost_flag = 2;

base::WallTime to_time(std::int64_t nanoseconds) noexcept { return base::WallTime(base::Duration(nanoseconds)); }
std::int64_t to_number(base::WallTime time) noexcept { return time.time_since_epoch().count(); }

std::uint32_t header_crc(base::Bytes bytes, std::uint64_t offset) noexcept {
  std::array<std::byte, 8> place{};
  store(place.data(), offset);
  return base::crc32c(place, base::crc32c(bytes.first(at_header_crc)));
}

std::uint64_t mix(std::uint64_t bits) noexcept {
  bits = (bits ^ (bits >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  bits = (bits ^ (bits >> 27U)) * 0x94D049BB133111EBULL;
  return bits ^ (bits >> 31U);
}

std::uint64_t& counter_of(Settlement settlement, model::SignalTotals& totals) noexcept {
  switch (settlement) {
    case Settlement::delivered:
      return totals.delivered;
    case Settlement::parked:
      return totals.parked;
    case Settlement::rejected:
      return totals.quarantined;
    default:
      return totals.lost;
  }
}

}  // namespace

std::uint64_t record_magic_of(model::WriterId writer, std::uint64_t number, base::WallTime created_at) noexcept {
  const auto time = static_cast<std::uint64_t>(to_number(created_at));
  const std::uint64_t mixed = mix(mix(mix(writer.value) + number) + time);
  return mixed | 0x0100000000000001ULL;  // never all zeros at either end: unwritten space is zeros
}

SegmentHeaderBytes encode_segment_header(const SegmentHeader& header) noexcept {
  SegmentHeaderBytes bytes{};
  store(bytes.data(), segment_magic);
  store(bytes.data() + at_version, header.version);
  store(bytes.data() + at_header_size, static_cast<std::uint32_t>(segment_header_size));
  store(bytes.data() + at_segment_writer, header.writer.value);
  store(bytes.data() + at_number, header.number);
  store(bytes.data() + at_created, to_number(header.created_at));
  store(bytes.data() + at_record_magic, header.record_magic);
  store(bytes.data() + at_segment_crc, base::crc32c(base::Bytes(bytes).first(at_segment_crc)));
  return bytes;
}

DecodedSegmentHeader decode_segment_header(base::Bytes bytes) noexcept {
  DecodedSegmentHeader decoded;
  if (bytes.size() < segment_header_size) return decoded;
  const std::byte* const at = bytes.data();
  decoded.header.version = load<std::uint32_t>(at + at_version);
  decoded.header.writer.value = load<std::uint64_t>(at + at_segment_writer);
  decoded.header.number = load<std::uint64_t>(at + at_number);
  decoded.header.created_at = to_time(load<std::int64_t>(at + at_created));
  decoded.header.record_magic = load<std::uint64_t>(at + at_record_magic);
  const bool crc_matches = load<std::uint32_t>(at + at_segment_crc) == base::crc32c(bytes.first(at_segment_crc));
  const bool magic_matches = load<std::uint64_t>(at) == segment_magic;
  if (crc_matches && magic_matches) {
    decoded.state = decoded.header.version == format_version ? HeaderState::good : HeaderState::unknown_version;
    return decoded;
  }
  // Later versions may checksum their header differently, but they keep magic and version where they are.
  const bool another_version = magic_matches && decoded.header.version > format_version &&
                               decoded.header.version < 256 &&
                               load<std::uint32_t>(at + at_header_size) != segment_header_size;
  decoded.state = another_version ? HeaderState::unknown_version : HeaderState::damaged;
  return decoded;
}

RecordHeaderBytes encode_record_header(const RecordHeader& header, std::uint64_t magic, std::uint64_t offset) noexcept {
  RecordHeaderBytes bytes{};
  std::byte* const at = bytes.data();
  store(at, magic);
  store(at + at_type, header.type);
  store(at + at_signal, header.signal);
  store(at + at_settlement, header.settlement);
  store(at + at_flags, static_cast<std::uint8_t>((header.is_copy ? copy_flag : 0U) |
                                                 (header.refused_are_lost ? refused_lost_flag : 0U)));
  store(at + at_payload_size, header.payload_size);
  store(at + at_writer, header.id.writer.value);
  store(at + at_sequence, header.id.sequence);
  store(at + at_sealed, to_number(header.sealed_at));
  store(at + at_items, header.item_count);
  store(at + at_payload_crc, header.payload_crc);
  store(at + at_refused, header.refused_item_count);
  store(at + at_header_crc, header_crc(bytes, offset));
  return bytes;
}

std::optional<RecordHeader> decode_record_header(base::Bytes bytes, std::uint64_t magic,
                                                 std::uint64_t offset) noexcept {
  if (bytes.size() < record_header_size || load<std::uint64_t>(bytes.data()) != magic) return std::nullopt;
  const std::byte* const at = bytes.data();
  if (load<std::uint32_t>(at + at_header_crc) != header_crc(bytes, offset)) return std::nullopt;
  const auto type = load<std::uint8_t>(at + at_type);
  const auto signal = load<std::uint8_t>(at + at_signal);
  if (type < 1 || type > 4 || signal >= model::signal_count) return std::nullopt;
  RecordHeader header;
  header.type = static_cast<RecordType>(type);
  header.signal = static_cast<model::Signal>(signal);
  header.settlement = static_cast<Settlement>(load<std::uint8_t>(at + at_settlement));
  const auto flags = load<std::uint8_t>(at + at_flags);
  header.is_copy = (flags & copy_flag) != 0;
  header.refused_are_lost = (flags & refused_lost_flag) != 0;
  header.payload_size = load<std::uint32_t>(at + at_payload_size);
  header.id = {model::WriterId{load<std::uint64_t>(at + at_writer)}, load<std::uint64_t>(at + at_sequence)};
  header.sealed_at = to_time(load<std::int64_t>(at + at_sealed));
  header.item_count = load<std::uint32_t>(at + at_items);
  header.payload_crc = load<std::uint32_t>(at + at_payload_crc);
  header.refused_item_count = load<std::uint32_t>(at + at_refused);
  if (header.payload_size > payload_size_max) return std::nullopt;
  return header;
}

void count_settlement(const RecordHeader& header, model::SignalTotals& totals) noexcept {
  const std::uint64_t refused = std::min(header.refused_item_count, header.item_count);
  (header.refused_are_lost ? totals.lost : totals.quarantined) += refused;
  counter_of(header.settlement, totals) += header.item_count - refused;
}

std::vector<std::byte> encode_totals(const model::Totals& totals) {
  std::vector<std::byte> bytes(totals_payload_size);
  std::byte* at = bytes.data();
  for (const model::SignalTotals& of : totals) {
    for (const std::uint64_t count :
         {of.accepted, of.delivered, of.parked, of.journaled, of.quarantined, of.refused, of.lost}) {
      store(at, count);
      at += sizeof count;
    }
  }
  return bytes;
}

std::optional<model::Totals> decode_totals(base::Bytes bytes) noexcept {
  if (bytes.size() != totals_payload_size) return std::nullopt;
  model::Totals totals{};
  const std::byte* at = bytes.data();
  for (model::SignalTotals& of : totals) {
    for (std::uint64_t* const count :
         {&of.accepted, &of.delivered, &of.parked, &of.journaled, &of.quarantined, &of.refused, &of.lost}) {
      *count = load<std::uint64_t>(at);
      at += sizeof *count;
    }
  }
  return totals;
}

TrailerBytes encode_trailer(std::uint64_t index_offset, std::uint64_t magic) noexcept {
  TrailerBytes bytes{};
  store(bytes.data(), trailer_magic);
  store(bytes.data() + 8, index_offset);
  std::array<std::byte, 8> salt{};
  store(salt.data(), magic);
  store(bytes.data() + 16, base::crc32c(salt, base::crc32c(base::Bytes(bytes).first(16))));
  return bytes;
}

std::optional<std::uint64_t> decode_trailer(base::Bytes bytes, std::uint64_t magic) noexcept {
  if (bytes.size() != trailer_size) return std::nullopt;
  const auto offset = load<std::uint64_t>(bytes.data() + 8);
  const TrailerBytes expected = encode_trailer(offset, magic);
  if (!std::equal(expected.begin(), expected.end(), bytes.begin())) return std::nullopt;
  return offset;
}

std::string segment_name(std::uint64_t number) { return model::to_string(model::WriterId{number}) + ".segment"; }

std::optional<std::uint64_t> parse_segment_name(std::string_view name) noexcept {
  if (name.size() != 24 || name.substr(16) != ".segment") return std::nullopt;
  std::uint64_t number = 0;
  for (const char digit : name.substr(0, 16)) {
    std::uint64_t value = 0;
    if (digit >= '0' && digit <= '9') {
      value = static_cast<std::uint64_t>(digit - '0');
    } else if (digit >= 'a' && digit <= 'f') {
      value = static_cast<std::uint64_t>(digit - 'a') + 10;
    } else {
      return std::nullopt;
    }
    number = (number << 4U) | value;
  }
  return number;
}

}  // namespace arca::journal
