// Field tags (number and wire type) of OTLP 1.x messages, as they stand on the wire. Used by writers and reader
// of this floor alike; the names follow opentelemetry-proto.
#pragma once

#include <cstdint>

namespace arca::otlp::tags {

// Any message inside ScopeSpans, ScopeLogs, ScopeMetrics: a record.
inline constexpr std::uint8_t record = 0x12;

// ResourceX and ScopeX have the same numbers for all signals.
inline constexpr std::uint8_t request_resource = 0x0A;
inline constexpr std::uint8_t owner = 0x0A;  // the Resource in ResourceX, the InstrumentationScope in ScopeX
inline constexpr std::uint8_t children = 0x12;
inline constexpr std::uint8_t schema_url = 0x1A;
inline constexpr std::uint8_t resource_attribute = 0x0A;
inline constexpr std::uint8_t scope_name = 0x0A;
inline constexpr std::uint8_t scope_version = 0x12;
inline constexpr std::uint8_t scope_attribute = 0x1A;

inline constexpr std::uint8_t pair_key = 0x0A;
inline constexpr std::uint8_t pair_value = 0x12;
inline constexpr std::uint8_t any_string = 0x0A;
inline constexpr std::uint8_t any_bool = 0x10;
inline constexpr std::uint8_t any_int = 0x18;
inline constexpr std::uint8_t any_double = 0x21;
inline constexpr std::uint8_t any_array = 0x2A;
inline constexpr std::uint8_t any_pairs = 0x32;
inline constexpr std::uint8_t any_bytes = 0x3A;
inline constexpr std::uint8_t array_value = 0x0A;

namespace span {
inline constexpr std::uint8_t trace_id = 0x0A;
inline constexpr std::uint8_t span_id = 0x12;
inline constexpr std::uint8_t trace_state = 0x1A;
inline constexpr std::uint8_t parent_span_id = 0x22;
inline constexpr std::uint8_t name = 0x2A;
inline constexpr std::uint8_t kind = 0x30;
inline constexpr std::uint8_t start_time = 0x39;
inline constexpr std::uint8_t end_time = 0x41;
inline constexpr std::uint8_t attribute = 0x4A;
inline constexpr std::uint8_t dropped_attributes = 0x50;
inline constexpr std::uint8_t event = 0x5A;
inline constexpr std::uint8_t dropped_events = 0x60;
inline constexpr std::uint8_t link = 0x6A;
inline constexpr std::uint8_t dropped_links = 0x70;
inline constexpr std::uint8_t status = 0x7A;
inline constexpr std::uint16_t flags = 0x0185;  // two bytes: field 16, fixed32
}  // namespace span

namespace event {
inline constexpr std::uint8_t time = 0x09;
inline constexpr std::uint8_t name = 0x12;
inline constexpr std::uint8_t attribute = 0x1A;
inline constexpr std::uint8_t dropped_attributes = 0x20;
}  // namespace event

namespace link {
inline constexpr std::uint8_t trace_id = 0x0A;
inline constexpr std::uint8_t span_id = 0x12;
inline constexpr std::uint8_t trace_state = 0x1A;
inline constexpr std::uint8_t attribute = 0x22;
inline constexpr std::uint8_t dropped_attributes = 0x28;
inline constexpr std::uint8_t flags = 0x35;
}  // namespace link

namespace status {
inline constexpr std::uint8_t message = 0x12;
inline constexpr std::uint8_t code = 0x18;
}  // namespace status

namespace log {
inline constexpr std::uint8_t time = 0x09;
inline constexpr std::uint8_t severity_number = 0x10;
inline constexpr std::uint8_t severity_text = 0x1A;
inline constexpr std::uint8_t body = 0x2A;
inline constexpr std::uint8_t attribute = 0x32;
inline constexpr std::uint8_t dropped_attributes = 0x38;
inline constexpr std::uint8_t flags = 0x45;
inline constexpr std::uint8_t trace_id = 0x4A;
inline constexpr std::uint8_t span_id = 0x52;
inline constexpr std::uint8_t observed_time = 0x59;
inline constexpr std::uint8_t event_name = 0x62;
}  // namespace log

namespace metric {
inline constexpr std::uint8_t name = 0x0A;
inline constexpr std::uint8_t description = 0x12;
inline constexpr std::uint8_t unit = 0x1A;
inline constexpr std::uint8_t gauge = 0x2A;
inline constexpr std::uint8_t sum = 0x3A;
inline constexpr std::uint8_t histogram = 0x4A;
inline constexpr std::uint8_t exponential_histogram = 0x52;
inline constexpr std::uint8_t summary = 0x5A;
}  // namespace metric

// Gauge, Sum, Histogram, ExponentialHistogram, Summary.
namespace data {
inline constexpr std::uint8_t point = 0x0A;
inline constexpr std::uint8_t temporality = 0x10;
inline constexpr std::uint8_t is_monotonic = 0x18;
}  // namespace data

// Points: the fields that differ carry the kind in their name.
namespace point {
inline constexpr std::uint8_t start_time = 0x11;
inline constexpr std::uint8_t time = 0x19;
inline constexpr std::uint8_t number_attribute = 0x3A;
inline constexpr std::uint8_t number_double = 0x21;
inline constexpr std::uint8_t number_int = 0x31;
inline constexpr std::uint8_t number_exemplar = 0x2A;
inline constexpr std::uint8_t number_flags = 0x40;
inline constexpr std::uint8_t count = 0x21;
inline constexpr std::uint8_t sum = 0x29;
inline constexpr std::uint8_t flags = 0x50;
inline constexpr std::uint8_t histogram_attribute = 0x4A;
inline constexpr std::uint8_t histogram_counts = 0x32;
inline constexpr std::uint8_t histogram_bounds = 0x3A;
inline constexpr std::uint8_t histogram_exemplar = 0x42;
inline constexpr std::uint8_t histogram_min = 0x59;
inline constexpr std::uint8_t histogram_max = 0x61;
inline constexpr std::uint8_t exponential_attribute = 0x0A;
inline constexpr std::uint8_t exponential_scale = 0x30;
inline constexpr std::uint8_t exponential_zero_count = 0x39;
inline constexpr std::uint8_t exponential_positive = 0x42;
inline constexpr std::uint8_t exponential_negative = 0x4A;
inline constexpr std::uint8_t exponential_exemplar = 0x5A;
inline constexpr std::uint8_t exponential_min = 0x61;
inline constexpr std::uint8_t exponential_max = 0x69;
inline constexpr std::uint8_t exponential_zero_threshold = 0x71;
inline constexpr std::uint8_t buckets_offset = 0x08;
inline constexpr std::uint8_t buckets_counts = 0x12;
}  // namespace point

namespace exemplar {
inline constexpr std::uint8_t time = 0x11;
inline constexpr std::uint8_t value_double = 0x19;
inline constexpr std::uint8_t span_id = 0x22;
inline constexpr std::uint8_t trace_id = 0x2A;
inline constexpr std::uint8_t value_int = 0x31;
inline constexpr std::uint8_t attribute = 0x3A;
}  // namespace exemplar

}  // namespace arca::otlp::tags
