// AttributeList::add_plain: the hot path of every attribute, inline where the caller has the value in its own type, so
// that nothing goes through memory on its way to the wire. Used by the record writers and by Span.
#pragma once

#include <bit>
#include <type_traits>

#include "otlp/any_value.hpp"
#include "otlp/attributes.hpp"
#include "otlp/fields.hpp"

namespace arca::otlp {

// The heads of a KeyValue whose lengths all fit one byte: tag and length of the pair, of the key, of the AnyValue.
inline constexpr std::size_t short_heads = 6;
inline constexpr std::size_t short_pair_max = 2 + 0x7F;
inline constexpr std::size_t short_number_max = 11;  // the AnyValue of a number

// Below key_hash_count. Both ends and the length: a collision costs only one comparison.
[[gnu::always_inline]] inline std::size_t key_hash(std::string_view key) noexcept {
  static_assert(key_hash_count == std::size_t{1} << 7U);
  const std::byte* bytes = base::as_bytes(key).data();
  std::uint64_t mix = key.size();
  if (key.size() >= 8) {
    mix ^= base::load<std::uint64_t>(bytes) ^ std::rotl(base::load<std::uint64_t>(bytes + key.size() - 8), 23);
  } else {
    for (const char c : key) mix = (mix << 8U) ^ static_cast<unsigned char>(c);
  }
  return (mix * 0x9E3779B97F4A7C15ULL) >> 57U;
}

// One pass and no call; whatever is unusual (long, not ASCII, perhaps known already, beyond a limit) is left to set().
template <class Scalar>
[[gnu::always_inline]] inline bool AttributeList::add_plain(WireWriter& out, std::uint8_t tag, std::string_view key,
                                                            Scalar value) noexcept {
  constexpr bool is_text = std::is_same_v<Scalar, std::string_view>;
  if (count_ >= plain_count_max_ || !out.has_room(short_pair_max)) [[unlikely]]
    return false;
  std::size_t text_size = key.size();  // of key and value together
  if constexpr (is_text) {
    text_size += value.size();
    if (text_size > 0x7FU - short_heads || value.size() > limits_.value_length_max) [[unlikely]]
      return false;
  } else if (text_size > 0x7FU - short_heads - short_number_max) [[unlikely]] {
    return false;
  }
  if (key.empty()) [[unlikely]]
    return false;
  const std::size_t hash = key_hash(key);
  if (heads_[hash] != 0) [[unlikely]]
    return false;
  std::byte* const begin = out.cursor();
  std::byte* const behind_key = begin + 4 + key.size();
  if (copy_text(begin + 4, key) != 0) [[unlikely]]
    return false;
  // Sums instead of disjunctions: no part overflows into the next, and the compiler folds them.
  const auto key_size = static_cast<std::uint32_t>(key.size());
  std::uint32_t pair_size = 0;
  std::byte* end = nullptr;
  if constexpr (is_text) {
    const auto size = static_cast<std::uint32_t>(value.size());
    if (copy_text(behind_key + 4, value) != 0) [[unlikely]]
      return false;
    base::store(behind_key, (std::uint32_t{tags::pair_value} | 2U << 8U | std::uint32_t{tags::any_string} << 16U) +
                                size * 0x01000100U);
    pair_size = static_cast<std::uint32_t>(text_size) + short_heads;
    end = begin + 2 + pair_size;
  } else {
    end = any_value::put(behind_key + 2, value, no_limit);
    const auto size = static_cast<std::uint32_t>(end - behind_key) - 2;
    base::store(behind_key, static_cast<std::uint16_t>(tags::pair_value + (size << 8U)));
    pair_size = key_size + 4 + size;
  }
  base::store(begin, (tag | std::uint32_t{tags::pair_key} << 16U) + (pair_size << 8U) + (key_size << 24U));
  insert_inline(hash, out.offset(), 0);
  out.set_cursor(end);
  return true;
}

}  // namespace arca::otlp
