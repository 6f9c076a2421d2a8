// WireReader: bounds-checked walk over the fields of one protobuf message that anybody may have written. Used by
// the reader, the splitter, the JSON printer and the answers' parser of this floor.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/varint.hpp"
#include "otlp/wire_writer.hpp"

namespace arca::otlp {

// One field. Its bytes borrow from the message.
struct Field {
  std::uint32_t number = 0;
  WireType type = WireType::varint;
  std::uint64_t value = 0;  // varint, fixed64 or fixed32
  base::Bytes bytes{};      // the body of a length-delimited field
  base::Bytes whole{};      // the field as it stands, tag included

  [[nodiscard]] std::string_view text() const noexcept { return base::as_text(bytes); }
  [[nodiscard]] double number_double() const noexcept { return std::bit_cast<double>(value); }
  [[nodiscard]] bool is(std::uint32_t wanted, WireType wanted_type) const noexcept {
    return number == wanted && type == wanted_type;
  }
};

// Not thread-safe.
class WireReader {
 public:
  explicit WireReader(base::Bytes message) noexcept : rest_(message) {}

  // Gives the next field; nothing at the end or at the first bytes that are no field (then damaged()).
  std::optional<Field> next() noexcept {
    if (rest_.empty() || damaged_) return std::nullopt;
    const base::Bytes before = rest_;
    Field field;
    damaged_ = !read(field);
    if (damaged_) return std::nullopt;
    field.whole = before.first(before.size() - rest_.size());
    return field;
  }
  [[nodiscard]] bool damaged() const noexcept { return damaged_; }

 private:
  bool read(Field& field) noexcept {
    const auto tag = base::read_varint(rest_);
    constexpr std::uint64_t tag_max = 0xFFFFFFFFU;
    if (!tag || *tag > tag_max || *tag < 8) return false;
    field.number = static_cast<std::uint32_t>(*tag >> 3U);
    field.type = static_cast<WireType>(*tag & 7U);
    switch (field.type) {
      case WireType::varint:
        return assign(field.value, base::read_varint(rest_));
      case WireType::fixed64:
        return take_fixed<std::uint64_t>(field.value);
      case WireType::fixed32:
        return take_fixed<std::uint32_t>(field.value);
      case WireType::length: {
        std::uint64_t size = 0;
        if (!assign(size, base::read_varint(rest_)) || size > rest_.size()) return false;
        field.bytes = rest_.first(size);
        rest_ = rest_.subspan(size);
        return true;
      }
    }
    return false;  // groups, which OTLP has never used
  }
  static bool assign(std::uint64_t& to, std::optional<std::uint64_t> from) noexcept {
    to = from.value_or(0);
    return from.has_value();
  }
  template <class Word>
  bool take_fixed(std::uint64_t& to) noexcept {
    if (rest_.size() < sizeof(Word)) return false;
    to = base::load<Word>(rest_.data());
    rest_ = rest_.subspan(sizeof(Word));
    return true;
  }

  base::Bytes rest_;
  bool damaged_ = false;
};

// Calls `visit` with each field until it returns false; returns false on that, and on damage.
template <class Visit>
bool for_each_field(base::Bytes message, Visit visit) {
  WireReader reader(message);
  while (const auto field = reader.next()) {
    if (!visit(*field)) return false;
  }
  return !reader.damaged();
}

// Whether a field of Metric is its Gauge, Sum, Histogram, ExponentialHistogram or Summary.
inline bool is_metric_data(const Field& field) noexcept {
  return field.type == WireType::length &&
         (field.number == 5 || field.number == 7 || (field.number >= 9 && field.number <= 11));
}

}  // namespace arca::otlp
