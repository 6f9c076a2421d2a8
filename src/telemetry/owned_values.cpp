#include "telemetry/owned_values.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace arca::telemetry {

otlp::AttributeValue OwnedAttributes::convert(const opentelemetry::sdk::common::OwnedAttributeValue& value) {
  namespace nostd = opentelemetry::nostd;
  // By type, not by index: versions of the SDK differ in the order.
  if (const auto* v = nostd::get_if<std::string>(&value)) return std::string_view(*v);
  if (const auto* v = nostd::get_if<std::int64_t>(&value)) return *v;
  if (const auto* v = nostd::get_if<std::int32_t>(&value)) return std::int64_t{*v};
  if (const auto* v = nostd::get_if<std::uint32_t>(&value)) return std::int64_t{*v};
  if (const auto* v = nostd::get_if<std::uint64_t>(&value)) return *v;
  if (const auto* v = nostd::get_if<double>(&value)) return *v;
  if (const auto* v = nostd::get_if<bool>(&value)) return *v;
  if (const auto* v = nostd::get_if<std::vector<std::string>>(&value)) return otlp::TextArray::of(v->data(), v->size());
  if (const auto* v = nostd::get_if<std::vector<std::int64_t>>(&value)) return std::span<const std::int64_t>(*v);
  if (const auto* v = nostd::get_if<std::vector<std::int32_t>>(&value)) return std::span<const std::int32_t>(*v);
  if (const auto* v = nostd::get_if<std::vector<std::uint32_t>>(&value)) return std::span<const std::uint32_t>(*v);
  if (const auto* v = nostd::get_if<std::vector<std::uint64_t>>(&value)) return std::span<const std::uint64_t>(*v);
  if (const auto* v = nostd::get_if<std::vector<double>>(&value)) return std::span<const double>(*v);
  if (const auto* v = nostd::get_if<std::vector<std::uint8_t>>(&value)) {
    return base::Bytes(reinterpret_cast<const std::byte*>(v->data()), v->size());
  }
  if (const auto* v = nostd::get_if<std::vector<bool>>(&value)) {
    booleans_.push_back(std::make_unique<bool[]>(v->size()));
    std::copy(v->begin(), v->end(), booleans_.back().get());
    return std::span<const bool>(booleans_.back().get(), v->size());
  }
  return std::string_view();
}

}  // namespace arca::telemetry
