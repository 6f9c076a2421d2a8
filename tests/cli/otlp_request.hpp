// Small OTLP requests, built by hand field by field, so that the sink is not judged by the code it is made of.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace arca::cli::testing {

inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7U) bytes.push_back(static_cast<char>((value & 0x7FU) | 0x80U));
  bytes.push_back(static_cast<char>(value));
  return bytes;
}
inline std::string field(unsigned number, std::string_view body) {
  return varint(number << 3U | 2U) + varint(body.size()) + std::string(body);
}
inline std::string integer_field(unsigned number, std::uint64_t value) { return varint(number << 3U) + varint(value); }
inline std::string text_attribute(std::string_view key, std::string_view value) {
  return field(1, key) + field(2, field(1, value));
}
inline std::string integer_attribute(std::string_view key, std::uint64_t value) {
  return field(1, key) + field(2, integer_field(3, value));
}

inline std::string span_record(std::uint64_t id, std::string_view stream, std::uint64_t sequence) {
  std::string id_bytes(8, '\0');
  std::memcpy(id_bytes.data(), &id, 8);
  return field(1, std::string(16, 'T')) + field(2, id_bytes) + field(5, "work") +
         field(9, text_attribute("some.key", "some value")) + field(9, text_attribute("test.stream", stream)) +
         field(9, integer_attribute("test.seq", sequence));
}
inline std::string request_of(std::string_view records) { return field(1, field(1, "") + field(2, records)); }

// Spans first..last of a stream; the span id is the sequence.
inline std::string spans(std::string_view stream, std::uint64_t first, std::uint64_t last) {
  std::string records;
  for (std::uint64_t i = first; i <= last; ++i) records += field(2, span_record(i, stream, i));
  return request_of(records);
}
inline std::string logs(std::uint64_t first, std::uint64_t last) {
  std::string records;
  for (std::uint64_t i = first; i <= last; ++i) {
    records += field(2, field(5, field(1, "text")) + field(6, integer_attribute("arca.seq", i)));
  }
  return request_of(records);
}
// One metric each of a sum and a histogram, with so many points.
inline std::string points(std::uint64_t count) {
  std::string of_sum, of_histogram;
  for (std::uint64_t i = 0; i < count; ++i) {
    of_sum += field(1, field(7, integer_attribute("test.seq", i)));
    of_histogram += field(1, field(9, integer_attribute("test.seq", count + i)));
  }
  return request_of(field(2, field(1, "sum") + field(7, of_sum)) +
                    field(2, field(1, "histogram") + field(9, of_histogram)));
}

}  // namespace arca::cli::testing
