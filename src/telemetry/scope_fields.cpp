#include "telemetry/scope_fields.hpp"

#include "os/log.hpp"
#include "otlp/context_encoder.hpp"
#include "telemetry/api_values.hpp"
#include "telemetry/resource.hpp"

namespace arca::telemetry {
namespace {

// Only memory can be lacking here; a context without its attributes still carries the records.
std::vector<std::byte> or_empty(Result<std::vector<std::byte>> fields, const char* what) {
  if (fields) return std::move(*fields);
  os::log(os::LogLevel::error, "the {} is left out: {}", what, fields.error().message());
  return {};
}

otlp::AttributeValue to_value(const ResourceValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return std::string_view(*text);
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  const auto& texts = std::get<std::vector<std::string>>(value);
  return otlp::TextArray::of(texts.data(), texts.size());
}

}  // namespace

std::vector<std::byte> scope_fields(std::string_view name, std::string_view version, std::string_view schema_url,
                                    const opentelemetry::common::KeyValueIterable* attributes) {
  std::vector<otlp::Attribute> list;
  if (attributes != nullptr) {
    // The iterable hands temporary views of texts that live as long as the call that gave it.
    attributes->ForEachKeyValue([&list](api::nostd::string_view key, const api::common::AttributeValue& value) {
      list.push_back({to_std(key), telemetry::to_value(value)});
      return true;
    });
  }
  return or_empty(otlp::encode_scope({.name = name, .version = version, .schema_url = schema_url, .attributes = list}),
                  "instrumentation scope");
}

std::vector<std::byte> resource_fields(const ResourceAttributes& attributes) {
  std::vector<otlp::Attribute> list;
  list.reserve(attributes.size());
  for (const auto& [key, value] : attributes) list.push_back({key, to_value(value)});
  return or_empty(otlp::encode_resource(list, ""), "resource");
}

}  // namespace arca::telemetry
