// Protobuf varints: the only piece of the wire format that both otlp and the record grammar need.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace arca::base {

constexpr std::size_t varint_size(std::uint64_t value) noexcept {
  // (bits + 6) / 7 without the division: exact for 1 to 64 bits.
  return (static_cast<std::size_t>(std::bit_width(value | 1U)) * 9U + 64U) / 64U;
}

// Writes at `to` (at least varint_size(value) bytes) and returns the byte behind.
inline std::byte* write_varint(std::byte* to, std::uint64_t value) noexcept {
  while (value >= 0x80U) {
    *to++ = static_cast<std::byte>(value | 0x80U);
    value >>= 7U;
  }
  *to++ = static_cast<std::byte>(value);
  return to;
}

// Reads one varint from the front of `bytes` and advances it; nothing on a torn or overlong one.
inline std::optional<std::uint64_t> read_varint(Bytes& bytes) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size() && i < 10; ++i) {
    const auto byte = static_cast<std::uint64_t>(bytes[i]);
    value |= (byte & 0x7FU) << (7U * i);
    if (byte < 0x80U) {
      bytes = bytes.subspan(i + 1);
      return value;
    }
  }
  return std::nullopt;
}

}  // namespace arca::base
