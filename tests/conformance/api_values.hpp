// Random keys, names and values of the API, for the tests that set our providers beside those of the stock SDK.
//
// What a stock message does not say any more can still be told from the key: "bytes..." has a byte array, always the
// same for the same key, "huge..." has unsigned integers of which some are above INT64_MAX.
#pragma once

#include <opentelemetry/common/attribute_value.h>

#include "conformance/random_values.hpp"

namespace arca::conformance {

namespace common = opentelemetry::common;

inline bool has_bytes(const std::string& key) { return key.starts_with("bytes"); }
inline bool has_huge_integers(const std::string& key) { return key.starts_with("huge"); }

// The byte array under a key that says so: its length is in its last digit.
inline std::string bytes_under(const std::string& key) {
  constexpr std::size_t lengths[] = {0, 1, 127, 300};
  std::string bytes;
  while (bytes.size() < lengths[key.back() - '0']) bytes += static_cast<char>(bytes.size() * 37);
  return bytes;
}

class ApiValues {
 public:
  explicit ApiValues(std::uint64_t seed) : random(seed) {}

  const std::string& key() {
    if (random.chance(12)) return keep("bytes" + std::to_string(random.below(4)));
    if (random.chance(12)) return keep("huge" + std::to_string(random.below(4)));
    return random.key();
  }
  // Where it is not UTF-8, 0xFF is its only flaw.
  const std::string& name() {
    if (random.chance(30)) return keep("bad\xFFname");
    for (;;) {
      const std::string& name = random.text();
      if (is_well_formed(name)) return name;
    }
  }

  common::AttributeValue value(const std::string& key) {
    namespace nostd = opentelemetry::nostd;
    if (has_bytes(key)) {
      const std::string& bytes = keep(bytes_under(key));
      return nostd::span<const std::uint8_t>(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    }
    if (has_huge_integers(key)) {
      if (random.chance(2)) return huge();
      return array<std::uint64_t>([&] { return random.chance(2) ? huge() : random.word() >> 1U; });
    }
    switch (random.below(16)) {
      case 0:
        return random.chance(2);
      case 1:
        return static_cast<std::int32_t>(random.word());
      case 2:
        return static_cast<std::uint32_t>(random.word());
      case 3:
        return static_cast<std::int64_t>(~random.word());
      case 4:
        return std::uint64_t{random.word() >> 1U};
      case 5:
        return random.real();
      case 6:
        return random.text().c_str();
      case 7:
        return array<std::int32_t>([&] { return static_cast<std::int32_t>(random.word()); });
      case 8:
        return array<std::uint32_t>([&] { return static_cast<std::uint32_t>(random.word()); });
      case 9:
        return array<std::int64_t>([&] { return static_cast<std::int64_t>(~random.word()); });
      case 10:
        return array<std::uint64_t>([&] { return random.word() >> 1U; });
      case 11:
        return array<double>([&] { return random.real(); });
      case 12:
        return array<nostd::string_view>([&] { return nostd::string_view(random.text()); });
      case 13:
        return nostd::span<const bool>(flags_, random.below(4));
      default:
        return nostd::string_view(random.text());
    }
  }

  using Attributes = std::vector<std::pair<opentelemetry::nostd::string_view, common::AttributeValue>>;
  Attributes attributes(std::uint64_t below) {
    Attributes made;
    for (std::uint64_t i = random.below(below); i > 0; --i) {
      const std::string& chosen = key();
      made.emplace_back(chosen, value(chosen));
    }
    return made;
  }

  // Nanoseconds since 1970; some are before that.
  std::int64_t time() {
    const auto nanos = static_cast<std::int64_t>(random.word() >> 1U);
    return random.chance(20) ? -nanos : nanos;
  }

  RandomValues random;

 private:
  const std::string& keep(std::string text) { return kept_.emplace_back(std::move(text)); }
  std::uint64_t huge() { return ~(random.word() >> 1U); }

  template <class T, class Make>
  common::AttributeValue array(Make make) {
    auto& elements = std::get<std::deque<std::vector<T>>>(arrays_).emplace_back();
    for (std::uint64_t i = random.below(6); i > 0; --i) elements.push_back(make());
    return opentelemetry::nostd::span<const T>(elements.data(), elements.size());
  }

  static constexpr bool flags_[] = {true, false, true};
  std::deque<std::string> kept_;
  std::tuple<std::deque<std::vector<std::int32_t>>, std::deque<std::vector<std::uint32_t>>,
             std::deque<std::vector<std::int64_t>>, std::deque<std::vector<std::uint64_t>>,
             std::deque<std::vector<double>>, std::deque<std::vector<opentelemetry::nostd::string_view>>>
      arrays_;
};

}  // namespace arca::conformance
