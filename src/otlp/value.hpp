// The values of attributes and log bodies, the ids and the limits, in plain types: what callers of the record
// writers convert the API's types to. Values borrow: the caller keeps the text alive during the call only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <variant>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace arca::otlp {

using TraceId = std::array<std::uint8_t, 16>;
using SpanId = std::array<std::uint8_t, 8>;

// An array of texts of any string-view type: `at` reads one element.
struct TextArray {
  const void* elements = nullptr;
  std::size_t size = 0;
  std::string_view (*at)(const void* elements, std::size_t index) = nullptr;

  [[nodiscard]] std::string_view operator[](std::size_t index) const { return at(elements, index); }

  // Over contiguous elements that have data() and size().
  template <class Text>
  static TextArray of(const Text* elements, std::size_t size) noexcept {
    return {elements, size, [](const void* all, std::size_t index) {
              const Text& text = static_cast<const Text*>(all)[index];
              return std::string_view(text.data(), text.size());
            }};
  }
};

// 32-bit integers are given as 64-bit ones. Unsigned values that int64 cannot hold are written as decimal text.
using AttributeValue =
    std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view, base::Bytes, std::span<const bool>,
                 std::span<const std::int32_t>, std::span<const std::uint32_t>, std::span<const std::int64_t>,
                 std::span<const std::uint64_t>, std::span<const double>, TextArray>;

struct Attribute {
  std::string_view key;
  AttributeValue value;
};

inline constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

struct AttributeLimits {
  std::size_t count_max = 128;
  std::size_t value_length_max = no_limit;  // characters of a text, bytes of a byte string
};

// Times before 1970 become 0, which OTLP reads as "unknown".
constexpr std::uint64_t unix_nanos(base::WallTime time) noexcept {
  const auto nanos = time.time_since_epoch().count();
  return nanos < 0 ? 0 : static_cast<std::uint64_t>(nanos);
}

}  // namespace arca::otlp
