// From the SDK's owned attribute values (resources, scopes, metric points) to those of the record writers.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "opentelemetry/sdk/common/attribute_utils.h"
#include "otlp/value.hpp"

namespace arca::telemetry {

// Attributes that borrow from an SDK map and live as long as it. Not thread-safe.
class OwnedAttributes {
 public:
  template <class Map>
  explicit OwnedAttributes(const Map& map) {
    attributes_.reserve(map.size());
    for (const auto& [key, value] : map) attributes_.push_back({key, convert(value)});
  }
  OwnedAttributes(const OwnedAttributes&) = delete;
  OwnedAttributes& operator=(const OwnedAttributes&) = delete;
  OwnedAttributes(OwnedAttributes&&) = default;

  [[nodiscard]] const std::vector<otlp::Attribute>& get() const noexcept { return attributes_; }

 private:
  otlp::AttributeValue convert(const opentelemetry::sdk::common::OwnedAttributeValue& value);

  std::vector<otlp::Attribute> attributes_;
  std::deque<std::unique_ptr<bool[]>> booleans_;  // std::vector<bool> has no array to borrow from
};

}  // namespace arca::telemetry
