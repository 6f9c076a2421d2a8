// From the API's types to those of the record writers. The only place that knows the order of the API's variant.
#pragma once

#include <cstring>
#include <string_view>

#include "opentelemetry/common/attribute_value.h"
#include "opentelemetry/common/timestamp.h"
#include "opentelemetry/nostd/string_view.h"
#include "opentelemetry/trace/span_context.h"
#include "otlp/value.hpp"

namespace arca::telemetry {

namespace api = opentelemetry;

inline std::string_view to_std(api::nostd::string_view text) noexcept { return {text.data(), text.size()}; }
inline std::string_view to_std(const char* text) noexcept {
  return text == nullptr ? std::string_view() : std::string_view(text);
}
inline api::nostd::string_view to_api(std::string_view text) noexcept { return {text.data(), text.size()}; }

namespace detail {

template <class T>
std::span<const T> to_span(api::nostd::span<const T> values) noexcept {
  return {values.data(), values.size()};
}

}  // namespace detail

// Borrows from `value`.
inline otlp::AttributeValue to_value(const api::common::AttributeValue& value) noexcept {
  namespace nostd = api::nostd;
  using api::common::AttributeType;
  const auto& v = value;
  switch (static_cast<AttributeType>(value.index())) {
    case AttributeType::kTypeBool:
      return *nostd::get_if<bool>(&v);
    case AttributeType::kTypeInt:
      return static_cast<std::int64_t>(*nostd::get_if<std::int32_t>(&v));
    case AttributeType::kTypeInt64:
      return *nostd::get_if<std::int64_t>(&v);
    case AttributeType::kTypeUInt:
      return static_cast<std::int64_t>(*nostd::get_if<std::uint32_t>(&v));
    case AttributeType::kTypeDouble:
      return *nostd::get_if<double>(&v);
    case AttributeType::kTypeCString:
      return to_std(*nostd::get_if<const char*>(&v));
    case AttributeType::kTypeString:
      return to_std(*nostd::get_if<nostd::string_view>(&v));
    case AttributeType::kTypeSpanBool:
      return detail::to_span(*nostd::get_if<nostd::span<const bool>>(&v));
    case AttributeType::kTypeSpanInt:
      return detail::to_span(*nostd::get_if<nostd::span<const std::int32_t>>(&v));
    case AttributeType::kTypeSpanInt64:
      return detail::to_span(*nostd::get_if<nostd::span<const std::int64_t>>(&v));
    case AttributeType::kTypeSpanUInt:
      return detail::to_span(*nostd::get_if<nostd::span<const std::uint32_t>>(&v));
    case AttributeType::kTypeSpanDouble:
      return detail::to_span(*nostd::get_if<nostd::span<const double>>(&v));
    case AttributeType::kTypeSpanString: {
      const auto& texts = *nostd::get_if<nostd::span<const nostd::string_view>>(&v);
      return otlp::TextArray::of(texts.data(), texts.size());
    }
    case AttributeType::kTypeUInt64:
      return *nostd::get_if<std::uint64_t>(&v);
    case AttributeType::kTypeSpanUInt64:
      return detail::to_span(*nostd::get_if<nostd::span<const std::uint64_t>>(&v));
    case AttributeType::kTypeSpanByte: {
      const auto& bytes = *nostd::get_if<nostd::span<const std::uint8_t>>(&v);
      return base::Bytes(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
    }
  }
  return std::string_view();  // a type that a later API may add
}

// Calls set_scalar(value) with the scalars that nearly all attributes are, in their own type (const char* among them),
// the most frequent ones first, and set_any() for the rest.
template <class SetScalar, class SetAny>
[[gnu::always_inline]] inline void dispatch_value(const api::common::AttributeValue& value, SetScalar&& set_scalar,
                                                  SetAny&& set_any) noexcept {
  namespace nostd = api::nostd;
  using api::common::AttributeType;
  const std::size_t type = value.index();
  const auto is = [type](AttributeType wanted) { return type == static_cast<std::size_t>(wanted); };
  if (is(AttributeType::kTypeString)) return set_scalar(to_std(*nostd::get_if<nostd::string_view>(&value)));
  if (is(AttributeType::kTypeCString)) return set_scalar(*nostd::get_if<const char*>(&value));
  if (is(AttributeType::kTypeInt64)) return set_scalar(*nostd::get_if<std::int64_t>(&value));
  if (is(AttributeType::kTypeInt)) return set_scalar(std::int64_t{*nostd::get_if<std::int32_t>(&value)});
  if (is(AttributeType::kTypeBool)) return set_scalar(*nostd::get_if<bool>(&value));
  if (is(AttributeType::kTypeDouble)) return set_scalar(*nostd::get_if<double>(&value));
  set_any();
}

inline otlp::TraceId to_trace_id(const api::trace::TraceId& id) noexcept {
  otlp::TraceId bytes;
  std::memcpy(bytes.data(), id.Id().data(), bytes.size());
  return bytes;
}
inline otlp::SpanId to_span_id(const api::trace::SpanId& id) noexcept {
  otlp::SpanId bytes;
  std::memcpy(bytes.data(), id.Id().data(), bytes.size());
  return bytes;
}

inline base::WallTime to_wall_time(api::common::SystemTimestamp time) noexcept {
  return base::WallTime(time.time_since_epoch());
}
inline base::WallTime to_wall_time(std::uint64_t unix_nanos) noexcept {
  return base::WallTime(base::Duration(static_cast<std::int64_t>(unix_nanos)));
}

}  // namespace arca::telemetry
