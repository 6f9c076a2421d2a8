// The rules by which a message of the stock recordables becomes ours: every difference that is meant, and nothing
// else. docs/guarantees.md ("Where our bytes differ from the stock SDK's") lists them with their reasons. Our own
// messages are only sorted. Used by all tests that set the two side by side.
#pragma once

#include <gtest/gtest.h>
#include <opentelemetry/proto/common/v1/common.pb.h>

#include <set>

#include "conformance/api_values.hpp"

namespace arca::conformance {

// In keys, names and descriptions each ill-formed part becomes U+FFFD; the only one that is drawn is 0xFF. (A stock
// exporter sends them as they are, and receivers refuse the whole request.)
inline std::string repaired(std::string text) {
  for (std::size_t at = text.find('\xFF'); at != std::string::npos; at = text.find('\xFF', at)) {
    text.replace(at, 1, "\xEF\xBF\xBD");
  }
  return text;
}

// Times before 1970 become "unknown"; the stock ones wrap around.
inline std::uint64_t known_time(std::uint64_t nanos) { return nanos > INT64_MAX ? 0 : nanos; }

inline void as_ours(const std::string& key, pb::common::v1::AnyValue& value) {
  if (has_bytes(key)) {
    // The specification's mapping. The stock ones are arrays of integers, or nothing where the SDK had owned them;
    // those of later versions are ours in some places.
    if (value.value_case() != pb::common::v1::AnyValue::VALUE_NOT_SET) {
      std::string bytes = value.bytes_value();
      for (const auto& element : value.array_value().values()) bytes += static_cast<char>(element.int_value());
      EXPECT_EQ(bytes, bytes_under(key));
    }
    value.set_bytes_value(bytes_under(key));
  } else if (value.has_array_value()) {
    for (auto& element : *value.mutable_array_value()->mutable_values()) as_ours(key, element);
  } else if (value.has_string_value() && !is_well_formed(value.string_value())) {
    // The specification's mapping for text that is not UTF-8.
    const std::string bytes = value.string_value();
    value.set_bytes_value(bytes);
  } else if (has_huge_integers(key) && value.int_value() < 0) {
    // The specification's mapping for integers beyond 64 bits with sign. The stock ones wrap around.
    value.set_string_value(std::to_string(static_cast<std::uint64_t>(value.int_value())));
  }
}

// Sorted by key: their order means nothing.
template <class Repeated>
void put_sorted(Repeated& attributes, const std::map<std::string, pb::common::v1::AnyValue>& by_key) {
  attributes.Clear();
  for (const auto& [key, value] : by_key) {
    auto& pair = *attributes.Add();
    pair.set_key(key);
    *pair.mutable_value() = value;
  }
}

// Keys are unique, the last value wins, as the specification demands; the stock ones append. Empty keys are not valid.
template <class Repeated>
void as_ours(Repeated& attributes) {
  std::map<std::string, pb::common::v1::AnyValue> by_key;
  for (auto& pair : attributes) {
    if (pair.key().empty()) continue;
    as_ours(pair.key(), *pair.mutable_value());
    by_key[repaired(pair.key())] = pair.value();
  }
  put_sorted(attributes, by_key);
}

// Ours: nothing is changed but the order.
template <class Repeated>
void sort_ours(Repeated& attributes) {
  std::map<std::string, pb::common::v1::AnyValue> by_key;
  for (const auto& pair : attributes) EXPECT_TRUE(by_key.emplace(pair.key(), pair.value()).second) << pair.key();
  put_sorted(attributes, by_key);
}

// The scope of a ScopeSpans, ScopeLogs or ScopeMetrics. Used on both sides: there is no difference.
template <class Scoped>
std::string scope_text(const Scoped& scoped) {
  auto scope = scoped.scope();
  sort_ours(*scope.mutable_attributes());
  return scope.DebugString() + scoped.schema_url() + '\n';
}

}  // namespace arca::conformance
