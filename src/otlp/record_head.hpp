// The head of a framed record: tag and exact length, written right-aligned into bytes kept free in front of the
// body once its size is known, so that nothing moves. Private to the record writers.
#pragma once

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

template <std::size_t size>
void put_id(WireWriter& out, std::uint8_t tag, const std::array<std::uint8_t, size>& id) noexcept {
  out.put_tag(tag);
  out.put_tag(size);
  std::memcpy(out.at(out.offset()), id.data(), size);
  out.skip(size);
}

}  // namespace arca::otlp
