// The head of a framed record: tag and exact length, written right-aligned into bytes kept free in front of the
// body once its size is known, so that nothing moves. Private to the record writers.
#pragma once

#include <array>

#include "otlp/fields.hpp"
#include "otlp/wire_writer.hpp"

namespace arca::otlp {

inline constexpr std::size_t record_headroom = 6;  // a tag and a length below 2^35

// Returns the framed record whose body begins behind the headroom; no bytes if the writer failed.
inline base::Bytes close_record(WireWriter& out) noexcept {
  if (out.failed()) return {};
  const std::size_t body_size = out.offset() - record_headroom;
  const std::size_t begin = record_headroom - 1 - base::varint_size(body_size);
  *out.at(begin) = std::byte{tags::record};
  base::write_varint(out.at(begin + 1), body_size);
  return out.bytes_from(begin);
}

// --- small fields: write at `to`, which has room, and return the byte behind -------------------------
template <std::size_t size>
std::byte* put_id(std::byte* to, std::uint8_t tag, const std::array<std::uint8_t, size>& id) noexcept {
  to[0] = std::byte{tag};
  to[1] = std::byte{size};
  std::memcpy(to + 2, id.data(), size);
  return to + 2 + size;
}
// A varint below 128.
inline std::byte* put_small(std::byte* to, std::uint8_t tag, std::uint8_t value) noexcept {
  to[0] = std::byte{tag};
  to[1] = std::byte{value};
  return to + 2;
}
template <class Word>
std::byte* put_fixed(std::byte* to, std::uint8_t tag, Word value) noexcept {
  to[0] = std::byte{tag};
  base::store(to + 1, value);
  return to + 1 + sizeof value;
}
inline std::byte* put_count(std::byte* to, std::uint8_t tag, std::uint32_t count) noexcept {
  if (count == 0) return to;
  *to = std::byte{tag};
  return base::write_varint(to + 1, count);
}

}  // namespace arca::otlp
