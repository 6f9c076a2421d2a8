// Random values of the API, and the common form in which the two encoders' messages are compared. Used by the
// tests that set our providers beside those of the stock SDK.
//
// The documented differences, which the common form or the choice of calls levels out (all else must be equal):
//   - keys: ours are unique (the last value wins); the stock recordables append, and receivers may see a key twice.
//     The order of attributes means nothing. Empty keys are invalid: ours leaves them out.
//   - text that is not UTF-8: ours becomes a byte string (in a key or name: U+FFFD); the stock one stays a string that
//     receivers reject, with the whole request.
//   - byte arrays: ours become OTLP's bytes; the stock ones arrays of integers, or nothing in metric attributes. Not
//   drawn
//     here.
//   - unsigned integers above INT64_MAX: ours become decimal text, the stock ones negative numbers. Not drawn here.
//   - flags: ours say whether the trace id is random and whether a parent or link is remote (bits 1, 8, 9); the stock
//     ones only whether the span is sampled, and nothing for links.
//   - status: ours follows the specification (ok is final, unset changes nothing, only an error has a description); the
//     stock one takes the last call.
//   - log records: the stock one leaves the event name out, and merges array bodies that are set one after the other.
//   - metrics: ours leaves out a metric without points.
//   - limits and dropped counts: the stock SDK has none in this version; span_conformance_test.cpp judges ours.
#pragma once

#include <opentelemetry/common/attribute_value.h>

#include <algorithm>
#include <set>

#include "conformance/random_values.hpp"

namespace arca::conformance {

class ApiValues {
 public:
  explicit ApiValues(std::uint64_t seed) : random(seed) {}

  const std::string& key() {
    for (;;) {
      const std::string& key = random.key();
      if (!key.empty() && is_well_formed(key)) return key;
    }
  }
  const std::string& name() {
    for (;;) {
      const std::string& name = random.text();
      if (is_well_formed(name)) return name;
    }
  }

  opentelemetry::common::AttributeValue value() {
    namespace nostd = opentelemetry::nostd;
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

  using Attributes = std::vector<std::pair<opentelemetry::nostd::string_view, opentelemetry::common::AttributeValue>>;
  Attributes attributes(std::uint64_t below) {
    Attributes made;
    for (std::uint64_t i = random.below(below); i > 0; --i) made.emplace_back(key(), value());
    return made;
  }

  RandomValues random;

 private:
  template <class T, class Make>
  opentelemetry::common::AttributeValue array(Make make) {
    auto& elements = std::get<std::deque<std::vector<T>>>(arrays_).emplace_back();
    for (std::uint64_t i = random.below(6); i > 0; --i) elements.push_back(make());
    return opentelemetry::nostd::span<const T>(elements.data(), elements.size());
  }

  static constexpr bool flags_[] = {true, false, true};
  std::tuple<std::deque<std::vector<std::int32_t>>, std::deque<std::vector<std::uint32_t>>,
             std::deque<std::vector<std::int64_t>>, std::deque<std::vector<std::uint64_t>>,
             std::deque<std::vector<double>>, std::deque<std::vector<opentelemetry::nostd::string_view>>>
      arrays_;
};

inline void to_common_form(pb::common::v1::AnyValue& value) {
  if (value.has_array_value()) {
    for (auto& element : *value.mutable_array_value()->mutable_values()) to_common_form(element);
  } else if (value.has_string_value() && !is_well_formed(value.string_value())) {
    const std::string bytes = value.string_value();
    value.set_bytes_value(bytes);
  }
}

// Sorted by key; of those with the same key the last one stays.
template <class Repeated>
void to_common_form(Repeated& attributes) {
  std::map<std::string, pb::common::v1::AnyValue> by_key;
  for (auto& pair : attributes) {
    to_common_form(*pair.mutable_value());
    by_key[pair.key()] = pair.value();
  }
  attributes.Clear();
  for (const auto& [key, value] : by_key) {
    auto& pair = *attributes.Add();
    pair.set_key(key);
    *pair.mutable_value() = value;
  }
}

// Repeated keys are ours to remove, not ours to send.
template <class Repeated>
bool has_unique_keys(const Repeated& attributes) {
  std::set<std::string> keys;
  return std::all_of(attributes.begin(), attributes.end(),
                     [&](const auto& pair) { return keys.insert(pair.key()).second; });
}

}  // namespace arca::conformance
