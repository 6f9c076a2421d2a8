// AnyValue with its exact size. Private to the attribute and log writers; inline, because it is the hot path.
#pragma once

#include <algorithm>
#include <charconv>

#include "otlp/fields.hpp"
#include "otlp/value.hpp"
#include "otlp/wire_writer.hpp"

namespace arca::otlp::any_value {

// Cuts a text to the limit: characters if it is UTF-8, bytes otherwise.
inline std::string_view limited(std::string_view text, std::size_t length_max) noexcept {
  if (text.size() <= length_max) [[likely]]
    return text;
  return text.substr(0, is_utf8(text) ? prefix_size(text, length_max) : length_max);
}

// The decimal digits of an unsigned value that int64 cannot hold.
struct Digits {
  explicit Digits(std::uint64_t value) noexcept
      : size(static_cast<std::size_t>(std::to_chars(text, text + sizeof text, value).ptr - text)) {}
  [[nodiscard]] std::string_view view() const noexcept { return {text, size}; }
  char text[20];
  std::size_t size;
};
constexpr bool fits_int64(std::uint64_t value) noexcept { return (value >> 63U) == 0; }

// --- sizes of the AnyValue message ----------------------------------------------------------------
inline std::size_t size_of(bool, std::size_t) noexcept { return 2; }
inline std::size_t size_of(double, std::size_t) noexcept { return 9; }
inline std::size_t size_of(std::int64_t value, std::size_t) noexcept {
  return 1 + base::varint_size(static_cast<std::uint64_t>(value));
}
inline std::size_t size_of(std::int32_t value, std::size_t limit) noexcept {
  return size_of(std::int64_t{value}, limit);
}
inline std::size_t size_of(std::uint32_t value, std::size_t) noexcept { return 1 + base::varint_size(value); }
inline std::size_t size_of(std::string_view text, std::size_t length_max) noexcept {
  return length_field_size(limited(text, length_max).size());
}
inline std::size_t size_of(std::uint64_t value, std::size_t length_max) noexcept {
  if (fits_int64(value)) return 1 + base::varint_size(value);
  return size_of(Digits(value).view(), length_max);
}
inline std::size_t size_of(base::Bytes bytes, std::size_t length_max) noexcept {
  return length_field_size(std::min(bytes.size(), length_max));
}

// The ArrayValue message inside the AnyValue.
template <class Array>
std::size_t array_size(const Array& array, std::size_t count, std::size_t length_max) noexcept {
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) size += length_field_size(size_of(array[i], length_max));
  return size;
}
template <class Element>
std::size_t size_of(std::span<const Element> array, std::size_t length_max) noexcept {
  return length_field_size(array_size(array, array.size(), length_max));
}
inline std::size_t size_of(const TextArray& array, std::size_t length_max) noexcept {
  return length_field_size(array_size(array, array.size, length_max));
}

// --- puts: write at `to`, which has room for size_of(), and return the byte behind ------------------
inline std::byte* put_tag(std::byte* to, std::uint8_t tag) noexcept {
  *to = std::byte{tag};
  return to + 1;
}
inline std::byte* put(std::byte* to, bool value, std::size_t) noexcept {
  return put_tag(put_tag(to, tags::any_bool), value ? 1 : 0);
}
inline std::byte* put(std::byte* to, double value, std::size_t) noexcept {
  base::store(put_tag(to, tags::any_double), value);
  return to + 9;
}
inline std::byte* put(std::byte* to, std::int64_t value, std::size_t) noexcept {
  return base::write_varint(put_tag(to, tags::any_int), static_cast<std::uint64_t>(value));
}
inline std::byte* put(std::byte* to, std::int32_t value, std::size_t limit) noexcept {
  return put(to, std::int64_t{value}, limit);
}
inline std::byte* put(std::byte* to, std::uint32_t value, std::size_t limit) noexcept {
  return put(to, std::int64_t{value}, limit);
}
inline std::byte* put(std::byte* to, std::string_view text, std::size_t length_max) noexcept {
  text = limited(text, length_max);
  std::byte* const at = base::write_varint(put_tag(to, tags::any_string), text.size());
  // Text and bytes differ in the tag alone, so the verdict may come after the copy.
  if (copy_text(at, text) != 0 && !is_utf8(text)) [[unlikely]]
    *to = std::byte{tags::any_bytes};
  return at + text.size();
}
inline std::byte* put(std::byte* to, std::uint64_t value, std::size_t length_max) noexcept {
  if (fits_int64(value)) return put(to, static_cast<std::int64_t>(value), length_max);
  return put(to, Digits(value).view(), length_max);
}
inline std::byte* put(std::byte* to, base::Bytes bytes, std::size_t length_max) noexcept {
  bytes = bytes.first(std::min(bytes.size(), length_max));
  to = base::write_varint(put_tag(to, tags::any_bytes), bytes.size());
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}
template <class Array>
std::byte* put_array(std::byte* to, const Array& array, std::size_t count, std::size_t length_max) noexcept {
  to = base::write_varint(put_tag(to, tags::any_array), array_size(array, count, length_max));
  for (std::size_t i = 0; i < count; ++i) {
    to = base::write_varint(put_tag(to, tags::array_value), size_of(array[i], length_max));
    to = put(to, array[i], length_max);
  }
  return to;
}
template <class Element>
std::byte* put(std::byte* to, std::span<const Element> array, std::size_t length_max) noexcept {
  return put_array(to, array, array.size(), length_max);
}
inline std::byte* put(std::byte* to, const TextArray& array, std::size_t length_max) noexcept {
  return put_array(to, array, array.size, length_max);
}

// --- any alternative: the scalar ones inline, the arrays out of the way ----------------------------
std::size_t size_of_rare(const AttributeValue& value, std::size_t length_max) noexcept;
std::byte* put_rare(std::byte* to, const AttributeValue& value, std::size_t length_max) noexcept;

inline std::size_t size_of(const AttributeValue& value, std::size_t length_max) noexcept {
  if (const auto* text = std::get_if<std::string_view>(&value)) return size_of(*text, length_max);
  return size_of_rare(value, length_max);
}
inline std::byte* put(std::byte* to, const AttributeValue& value, std::size_t length_max) noexcept {
  if (const auto* text = std::get_if<std::string_view>(&value)) return put(to, *text, length_max);
  return put_rare(to, value, length_max);
}

}  // namespace arca::otlp::any_value
