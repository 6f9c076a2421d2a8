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
  if (text.size() <= length_max) [[likely]] return text;
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
inline std::size_t size_of(std::int32_t value, std::size_t limit) noexcept { return size_of(std::int64_t{value}, limit); }
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

// --- puts. Require: room for size_of() ------------------------------------------------------------
inline void put(WireWriter& out, bool value, std::size_t) noexcept {
  out.put_tag(tags::any_bool);
  out.put_tag(value ? 1 : 0);
}
inline void put(WireWriter& out, double value, std::size_t) noexcept {
  out.put_tag(tags::any_double);
  out.put_double(value);
}
inline void put(WireWriter& out, std::int64_t value, std::size_t) noexcept {
  out.put_tag(tags::any_int);
  out.put_varint(static_cast<std::uint64_t>(value));
}
inline void put(WireWriter& out, std::int32_t value, std::size_t limit) noexcept { put(out, std::int64_t{value}, limit); }
inline void put(WireWriter& out, std::uint32_t value, std::size_t limit) noexcept {
  put(out, std::int64_t{value}, limit);
}
inline void put(WireWriter& out, std::string_view text, std::size_t length_max) noexcept {
  text = limited(text, length_max);
  std::byte* const tag = out.at(out.offset());
  out.put_tag(tags::any_string);
  out.put_varint(text.size());
  // Text and bytes differ in the tag alone, so the verdict may come after the copy.
  if (!out.put_text(text) && !is_utf8(text)) *tag = std::byte{tags::any_bytes};
}
inline void put(WireWriter& out, std::uint64_t value, std::size_t length_max) noexcept {
  if (fits_int64(value)) {
    put(out, static_cast<std::int64_t>(value), length_max);
  } else {
    put(out, Digits(value).view(), length_max);
  }
}
inline void put(WireWriter& out, base::Bytes bytes, std::size_t length_max) noexcept {
  bytes = bytes.first(std::min(bytes.size(), length_max));
  out.put_tag(tags::any_bytes);
  out.put_varint(bytes.size());
  out.put_bytes(bytes);
}
template <class Array>
void put_array(WireWriter& out, const Array& array, std::size_t count, std::size_t length_max) noexcept {
  out.put_tag(tags::any_array);
  out.put_varint(array_size(array, count, length_max));
  for (std::size_t i = 0; i < count; ++i) {
    out.put_tag(tags::array_value);
    out.put_varint(size_of(array[i], length_max));
    put(out, array[i], length_max);
  }
}
template <class Element>
void put(WireWriter& out, std::span<const Element> array, std::size_t length_max) noexcept {
  put_array(out, array, array.size(), length_max);
}
inline void put(WireWriter& out, const TextArray& array, std::size_t length_max) noexcept {
  put_array(out, array, array.size, length_max);
}

// --- any alternative -----------------------------------------------------------------------------
inline std::size_t size_of(const AttributeValue& value, std::size_t length_max) noexcept {
  if (const auto* text = std::get_if<std::string_view>(&value)) return size_of(*text, length_max);
  return std::visit([&](const auto& alternative) { return size_of(alternative, length_max); }, value);
}
inline void put(WireWriter& out, const AttributeValue& value, std::size_t length_max) noexcept {
  if (const auto* text = std::get_if<std::string_view>(&value)) return put(out, *text, length_max);
  std::visit([&](const auto& alternative) { put(out, alternative, length_max); }, value);
}

}  // namespace arca::otlp::any_value
