// AttributeList::set_scalar: the hot path of every attribute, inline where a record writer calls it, so that the
// writer's own state stays in registers. Private to the record writers.
#pragma once

#include <bit>
#include <type_traits>

#include "otlp/any_value.hpp"
#include "otlp/attributes.hpp"
#include "otlp/fields.hpp"

namespace arca::otlp {

// A KeyValue whose lengths all fit one byte is at most this long; heads of key and value; the AnyValue of a number.
inline constexpr std::size_t short_pair_max = 2 + 0x7F;
inline constexpr std::size_t short_pair_heads = 4;
inline constexpr std::size_t short_number_max = 11;

// One byte from both ends and the length: for the short scan a collision costs only one comparison.
inline std::uint8_t scan_hash(std::string_view key) noexcept {
  const std::byte* bytes = base::as_bytes(key).data();
  std::uint64_t mix = key.size();
  if (key.size() >= 8) {
    mix ^= base::load<std::uint64_t>(bytes) ^ std::rotl(base::load<std::uint64_t>(bytes + key.size() - 8), 23);
  } else {
    for (const char c : key) mix = (mix << 8U) ^ static_cast<unsigned char>(c);
  }
  return static_cast<std::uint8_t>((mix * 0x9E3779B97F4A7C15ULL) >> 56U);
}

// The short form of a new key is written in one pass, without a call; whatever is unusual goes the slow way.
template <class Scalar>
[[gnu::always_inline]] inline void AttributeList::set_scalar(WireWriter& out, std::uint8_t tag, std::string_view key,
                                                             Scalar value) noexcept {
  bool plain = !key.empty() && count_ < plain_count_max_ && out.has_room(short_pair_max);
  if constexpr (std::is_same_v<Scalar, std::string_view>) {
    plain =
        plain && key.size() + value.size() < 0x80U - short_pair_heads - 2 && value.size() <= limits_.value_length_max;
  } else {
    plain = plain && key.size() < 0x80U - short_pair_heads - short_number_max;
  }
  if (!plain) [[unlikely]]
    return set_slowly(out, tag, key, AttributeValue(value));
  std::byte* const begin = out.cursor();
  const std::uint8_t scan = scan_hash(key);
  if (!copy_text(begin + 4, key)) [[unlikely]]
    return set_slowly(out, tag, key, AttributeValue(value));
  std::byte* const behind_key = begin + 4 + key.size();
  std::byte* const end = any_value::put_short(behind_key + 2, value);
  // The lengths are known now without having been computed.
  const auto value_size = static_cast<std::uint32_t>(end - behind_key) - 2;
  base::store(behind_key, static_cast<std::uint16_t>(tags::pair_value | value_size << 8U));
  const auto pair_size = static_cast<std::uint32_t>(end - begin) - 2;
  base::store(begin, tag | pair_size << 8U | std::uint32_t{tags::pair_key} << 16U |
                         static_cast<std::uint32_t>(key.size()) << 24U);
  const std::size_t offset = out.offset();
  out.set_cursor(end);
  if (may_know(scan)) [[unlikely]]
    return settle(out, key, scan, offset);
  insert_inline(scan, offset);
}

}  // namespace arca::otlp
