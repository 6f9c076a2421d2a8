// Random attribute values, texts and ids for the conformance tests, and the official protobuf values that they must
// become. A seed, printed by the tests when they fail, makes everything repeatable.
#pragma once

#include <opentelemetry/proto/common/v1/common.pb.h>

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "otlp/value.hpp"

namespace arca::conformance {

namespace pb = opentelemetry::proto;

// A simple, independent UTF-8 judge: decodes and encodes again, where the encoder classifies leads by range.
// Returns the size of the code point at `i`, or 0 if it is ill-formed.
inline std::size_t code_point_size(const std::string& text, std::size_t i) {
  const auto byte = [&](std::size_t at) -> std::uint32_t {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
  };
  const std::uint32_t lead = byte(i);
  if (lead < 0x80) return 1;
  std::size_t size = 0;
  std::uint32_t value = 0;
  if ((lead & 0xE0U) == 0xC0U) {
    size = 2;
    value = lead & 0x1FU;
  } else if ((lead & 0xF0U) == 0xE0U) {
    size = 3;
    value = lead & 0x0FU;
  } else if ((lead & 0xF8U) == 0xF0U) {
    size = 4;
    value = lead & 0x07U;
  } else
    return 0;
  for (std::size_t k = 1; k < size; ++k) {
    if ((byte(i + k) & 0xC0U) != 0x80U) return 0;
    value = (value << 6U) | (byte(i + k) & 0x3FU);
  }
  const std::uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < lowest[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return 0;
  return size;
}

inline bool is_well_formed(const std::string& text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t size = code_point_size(text, i);
    if (size == 0) return false;
    i += size;
  }
  return true;
}

inline std::string cut(const std::string& text, std::size_t length_max) {
  if (text.size() <= length_max) return text;
  if (!is_well_formed(text)) return text.substr(0, length_max);
  std::size_t i = 0;
  for (std::size_t characters = 0; characters < length_max && i < text.size(); ++characters) {
    i += code_point_size(text, i);
  }
  return text.substr(0, i);
}

inline void expect_text(pb::common::v1::AnyValue& value, const std::string& text, std::size_t length_max) {
  const std::string kept = cut(text, length_max);
  if (is_well_formed(kept)) {
    value.set_string_value(kept);
  } else {
    value.set_bytes_value(kept);
  }
}

// Keeps random texts and arrays alive while views of them are in use.
class RandomValues {
 public:
  explicit RandomValues(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool chance(std::uint64_t one_in) { return below(one_in) == 0; }
  std::uint64_t word() { return random_() >> below(64); }
  double real() {
    constexpr double odd[] = {0.0,   -0.0,
                              1e308, 5e-324,
                              -1.5,  std::numeric_limits<double>::infinity(),
                              3.25,  std::numeric_limits<double>::quiet_NaN()};
    return chance(3) ? odd[below(8)] : static_cast<double>(static_cast<std::int64_t>(random_())) / 1024.0;
  }

  // Mostly short ASCII; sometimes multi-byte, ill-formed, with NULs, or as long as the next width of a length.
  const std::string& text() {
    std::string& text = texts_.emplace_back();
    switch (below(12)) {
      case 0:
        break;
      case 1:
        append_code_points(text, below(40));
        break;
      case 2:
        append_bytes(text, below(20));
        break;
      case 3:
        text = std::string("nul\0inside", 10);
        break;
      case 4:
        text.assign(126 + below(4), 'x');
        break;
      case 5:
        if (chance(20)) text.assign(16382 + below(4), 'y');
        break;
      default:
        append_letters(text, below(40));
        break;
    }
    return text;
  }

  // Few different keys, so that many repeat; some are not UTF-8, some are empty.
  const std::string& key() {
    std::string& key = texts_.emplace_back();
    if (chance(40)) return key;
    if (chance(30)) {
      key = "bad\xFF" + std::to_string(below(2));
    } else if (chance(30)) {
      key = "schl\xC3\xBCssel" + std::to_string(below(2));
    } else {
      key = "k" + std::string(below(10), 'e') + std::to_string(below(12));
    }
    return key;
  }

  template <std::size_t size>
  std::array<std::uint8_t, size> id() {
    std::array<std::uint8_t, size> id{};
    for (auto& byte : id) byte = static_cast<std::uint8_t>(random_());
    return id;
  }

  // Gives a random value of any kind and writes what it must become into `expected`.
  otlp::AttributeValue value(pb::common::v1::AnyValue& expected, std::size_t length_max) {
    switch (below(14)) {
      case 0:
        return scalar(chance(2), expected, length_max);
      case 1:
        return scalar(static_cast<std::int64_t>(word()) - (chance(2) ? 1000 : 0), expected, length_max);
      case 2:
        return scalar(chance(2) ? word() : ~word(), expected, length_max);
      case 3:
        return scalar(real(), expected, length_max);
      case 4: {
        const std::string& bytes = text();
        expected.set_bytes_value(bytes.substr(0, length_max));
        return base::as_bytes(bytes);
      }
      case 5:
        return array<std::int32_t>([&] { return static_cast<std::int32_t>(word()); }, expected, length_max);
      case 6:
        return array<std::uint32_t>([&] { return static_cast<std::uint32_t>(word()); }, expected, length_max);
      case 7:
        return array<std::int64_t>([&] { return static_cast<std::int64_t>(~word()); }, expected, length_max);
      case 8:
        return array<std::uint64_t>([&] { return chance(3) ? ~word() : word(); }, expected, length_max);
      case 9:
        return array<double>([&] { return real(); }, expected, length_max);
      case 10:
        return flags(expected, length_max);
      case 11:
        return text_array(expected, length_max);
      default: {
        const std::string& chosen = text();
        expect_text(expected, chosen, length_max);
        return std::string_view(chosen);
      }
    }
  }

 private:
  static void put(pb::common::v1::AnyValue& expected, bool value) { expected.set_bool_value(value); }
  static void put(pb::common::v1::AnyValue& expected, double value) { expected.set_double_value(value); }
  static void put(pb::common::v1::AnyValue& expected, std::int64_t value) { expected.set_int_value(value); }
  static void put(pb::common::v1::AnyValue& expected, std::int32_t value) { expected.set_int_value(value); }
  static void put(pb::common::v1::AnyValue& expected, std::uint32_t value) { expected.set_int_value(value); }
  void put_limited(pb::common::v1::AnyValue& expected, std::uint64_t value, std::size_t length_max) {
    if (value <= INT64_MAX) {
      expected.set_int_value(static_cast<std::int64_t>(value));
    } else {
      expect_text(expected, std::to_string(value), length_max);
    }
  }
  template <class T>
  void put_limited(pb::common::v1::AnyValue& expected, T value, std::size_t) {
    put(expected, value);
  }

  template <class T>
  otlp::AttributeValue scalar(T value, pb::common::v1::AnyValue& expected, std::size_t length_max) {
    put_limited(expected, value, length_max);
    return value;
  }
  template <class T, class Make>
  otlp::AttributeValue array(Make make, pb::common::v1::AnyValue& expected, std::size_t length_max) {
    auto& elements = std::get<std::deque<std::vector<T>>>(arrays_).emplace_back();
    auto& values = *expected.mutable_array_value();
    for (std::uint64_t i = below(chance(10) ? 200 : 5); i > 0; --i) {
      elements.push_back(make());
      put_limited(*values.add_values(), elements.back(), length_max);
    }
    return std::span<const T>(elements);
  }
  otlp::AttributeValue flags(pb::common::v1::AnyValue& expected, std::size_t) {
    auto& values = *expected.mutable_array_value();
    const std::size_t count = below(4);
    for (std::size_t i = 0; i < count; ++i) values.add_values()->set_bool_value(flags_[i]);
    return std::span<const bool>(flags_, count);
  }
  otlp::AttributeValue text_array(pb::common::v1::AnyValue& expected, std::size_t length_max) {
    auto& elements = std::get<std::deque<std::vector<std::string_view>>>(arrays_).emplace_back();
    auto& values = *expected.mutable_array_value();
    for (std::uint64_t i = below(5); i > 0; --i) {
      const std::string& element = text();
      elements.emplace_back(element);
      expect_text(*values.add_values(), element, length_max);
    }
    return otlp::TextArray::of(elements.data(), elements.size());
  }
  void append_letters(std::string& text, std::uint64_t count) {
    while (count-- > 0) text += static_cast<char>('a' + below(26));
  }
  void append_bytes(std::string& text, std::uint64_t count) {
    while (count-- > 0) text += static_cast<char>(random_());
  }
  void append_code_points(std::string& text, std::uint64_t count) {
    constexpr const char* points[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
                                      "a",        "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"};
    while (count-- > 0) text += points[below(6)];
  }

  std::mt19937_64 random_;
  std::deque<std::string> texts_;
  std::tuple<std::deque<std::vector<std::int32_t>>, std::deque<std::vector<std::uint32_t>>,
             std::deque<std::vector<std::int64_t>>, std::deque<std::vector<std::uint64_t>>,
             std::deque<std::vector<double>>, std::deque<std::vector<std::string_view>>>
      arrays_;
  static constexpr bool flags_[] = {true, false, false, true};
};

// The attributes that a collection must hold after some calls: a map with a limit on its size.
class ExpectedAttributes {
 public:
  ExpectedAttributes(std::size_t count_max, std::size_t length_max) : count_max_(count_max), length_max_(length_max) {}

  // Draws a key and a value, records what they must become and passes them to `set`.
  template <class Set>
  void draw(RandomValues& random, Set set) {
    const std::string& key = random.key();
    pb::common::v1::AnyValue expected;
    set(std::string_view(key), random.value(expected, length_max_));
    if (key.empty()) return;
    const std::string known = repaired(key);
    if (values_.contains(known) || values_.size() < count_max_) {
      values_[known] = expected;
    } else {
      ++dropped_count_;
    }
  }

  // Whether the repeated KeyValue field holds exactly these, each once, in any order.
  template <class Repeated>
  [[nodiscard]] bool equals(const Repeated& pairs) const {
    std::map<std::string, std::string> actual;
    for (const auto& pair : pairs) {
      if (!actual.emplace(pair.key(), pair.value().SerializeAsString()).second) return false;
    }
    std::map<std::string, std::string> expected;
    for (const auto& [key, value] : values_) expected.emplace(key, value.SerializeAsString());
    return actual == expected;
  }
  [[nodiscard]] std::uint32_t dropped_count() const { return dropped_count_; }

 private:
  // Keys are drawn with 0xFF as their only flaw.
  static std::string repaired(std::string key) {
    if (const auto flaw = key.find('\xFF'); flaw != std::string::npos) key.replace(flaw, 1, "\xEF\xBF\xBD");
    return key;
  }
  std::size_t count_max_;
  std::size_t length_max_;
  std::map<std::string, pb::common::v1::AnyValue> values_;
  std::uint32_t dropped_count_ = 0;
};

}  // namespace arca::conformance
