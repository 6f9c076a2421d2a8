#include "otlp/reader.hpp"

#include "otlp/wire_reader.hpp"

namespace arca::otlp {

namespace {

constexpr auto varint = WireType::varint;
constexpr auto length = WireType::length;
constexpr auto fixed64 = WireType::fixed64;
constexpr auto fixed32 = WireType::fixed32;

std::uint32_t small(const Field& field) noexcept { return static_cast<std::uint32_t>(field.value); }

auto corrupt(std::string_view what) {
  return failure(ErrorCode::corrupt, "not a protobuf message of the promised form: " + std::string(what));
}

KeyValueView read_pair(base::Bytes message) noexcept {
  KeyValueView pair;
  for_each_field(message, [&](const Field& field) {
    if (field.is(1, length)) pair.key = field.text();
    if (field.is(2, length)) pair.value = read_value(field.bytes);
    return true;
  });
  return pair;
}

}  // namespace

ValueView read_value(base::Bytes any_value) noexcept {
  ValueView value;
  const bool whole = for_each_field(any_value, [&](const Field& field) {
    if (field.is(1, length)) value = field.text();
    if (field.is(2, varint)) value = field.value != 0;
    if (field.is(3, varint)) value = static_cast<std::int64_t>(field.value);
    if (field.is(4, fixed64)) value = field.number_double();
    if (field.is(5, length)) value = ValuesView{field.bytes};
    if (field.is(6, length)) value = AttributesView{field.bytes, 1};
    if (field.is(7, length)) value = field.bytes;
    return true;
  });
  return whole ? value : ValueView{};
}

std::vector<ValueView> all_of(const ValuesView& values) {
  std::vector<ValueView> all;
  for_each_field(values.message, [&](const Field& field) {
    if (field.is(1, length)) all.push_back(read_value(field.bytes));
    return true;
  });
  return all;
}

std::vector<KeyValueView> AttributesView::all() const {
  std::vector<KeyValueView> pairs;
  for_each_field(message, [&](const Field& field) {
    if (field.is(field_number, length)) pairs.push_back(read_pair(field.bytes));
    return true;
  });
  return pairs;
}

std::vector<EventView> SpanView::events() const {
  std::vector<EventView> events;
  for_each_field(message, [&](const Field& field) {
    if (!field.is(11, length)) return true;
    EventView& event = events.emplace_back();
    event.attributes = {field.bytes, 3};
    return for_each_field(field.bytes, [&](const Field& inner) {
      if (inner.is(1, fixed64)) event.time = inner.value;
      if (inner.is(2, length)) event.name = inner.text();
      if (inner.is(4, varint)) event.dropped_attribute_count = small(inner);
      return true;
    });
  });
  return events;
}

std::vector<LinkView> SpanView::links() const {
  std::vector<LinkView> links;
  for_each_field(message, [&](const Field& field) {
    if (!field.is(13, length)) return true;
    LinkView& link = links.emplace_back();
    link.attributes = {field.bytes, 4};
    return for_each_field(field.bytes, [&](const Field& inner) {
      if (inner.is(1, length)) link.trace_id = inner.bytes;
      if (inner.is(2, length)) link.span_id = inner.bytes;
      if (inner.is(3, length)) link.trace_state = inner.text();
      if (inner.is(5, varint)) link.dropped_attribute_count = small(inner);
      if (inner.is(6, fixed32)) link.flags = small(inner);
      return true;
    });
  });
  return links;
}

namespace {

bool read_status(base::Bytes message, SpanView& span) noexcept {
  return for_each_field(message, [&](const Field& field) {
    if (field.is(2, length)) span.status_message = field.text();
    if (field.is(3, varint)) span.status_code = small(field);
    return true;
  });
}

}  // namespace

Result<SpanView> read_span(base::Bytes message) {
  SpanView span;
  span.message = message;
  span.attributes = {message, 9};
  const bool whole = for_each_field(message, [&](const Field& field) {
    if (field.is(1, length)) span.trace_id = field.bytes;
    if (field.is(2, length)) span.span_id = field.bytes;
    if (field.is(3, length)) span.trace_state = field.text();
    if (field.is(4, length)) span.parent_span_id = field.bytes;
    if (field.is(5, length)) span.name = field.text();
    if (field.is(6, varint)) span.kind = small(field);
    if (field.is(7, fixed64)) span.start_time = field.value;
    if (field.is(8, fixed64)) span.end_time = field.value;
    if (field.is(10, varint)) span.dropped_attribute_count = small(field);
    if (field.is(12, varint)) span.dropped_event_count = small(field);
    if (field.is(14, varint)) span.dropped_link_count = small(field);
    if (field.is(15, length)) return read_status(field.bytes, span);
    if (field.is(16, fixed32)) span.flags = small(field);
    return true;
  });
  if (!whole) return corrupt("span");
  return span;
}

Result<LogView> read_log(base::Bytes message) {
  LogView log;
  log.message = message;
  log.attributes = {message, 6};
  const bool whole = for_each_field(message, [&](const Field& field) {
    if (field.is(1, fixed64)) log.time = field.value;
    if (field.is(2, varint)) log.severity_number = small(field);
    if (field.is(3, length)) log.severity_text = field.text();
    if (field.is(5, length)) log.body = read_value(field.bytes);
    if (field.is(7, varint)) log.dropped_attribute_count = small(field);
    if (field.is(8, fixed32)) log.flags = small(field);
    if (field.is(9, length)) log.trace_id = field.bytes;
    if (field.is(10, length)) log.span_id = field.bytes;
    if (field.is(11, fixed64)) log.observed_time = field.value;
    if (field.is(12, length)) log.event_name = field.text();
    return true;
  });
  if (!whole) return corrupt("log record");
  return log;
}

Result<MetricView> read_metric(base::Bytes message) {
  MetricView metric;
  metric.message = message;
  const bool whole = for_each_field(message, [&](const Field& field) {
    if (field.is(1, length)) metric.name = field.text();
    if (field.is(2, length)) metric.description = field.text();
    if (field.is(3, length)) metric.unit = field.text();
    if (!is_metric_data(field)) return true;
    metric.kind = static_cast<MetricKind>(field.number);
    metric.data = field.bytes;
    return for_each_field(field.bytes, [&](const Field& inner) {
      if (inner.is(2, varint)) metric.temporality = small(inner);
      if (inner.is(3, varint)) metric.is_monotonic = inner.value != 0;
      return true;
    });
  });
  if (!whole) return corrupt("metric");
  return metric;
}

namespace {

bool is_number(MetricKind kind) noexcept { return kind == MetricKind::gauge || kind == MetricKind::sum; }

std::uint32_t attributes_field(MetricKind kind) noexcept {
  if (kind == MetricKind::histogram) return 9;
  return kind == MetricKind::exponential_histogram ? 1 : 7;
}

PointView read_point(base::Bytes message, MetricKind kind) noexcept {
  PointView point;
  point.message = message;
  point.attributes = {message, attributes_field(kind)};
  for_each_field(message, [&](const Field& field) {
    if (field.is(2, fixed64)) point.start_time = field.value;
    if (field.is(3, fixed64)) point.time = field.value;
    if (is_number(kind)) {
      if (field.is(4, fixed64)) point.value = field.number_double();
      if (field.is(6, fixed64)) point.value = static_cast<std::int64_t>(field.value);
    } else {
      if (field.is(4, fixed64)) point.count = field.value;
      if (field.is(5, fixed64)) point.value = field.number_double();
    }
    return true;
  });
  return point;
}

}  // namespace

std::vector<PointView> MetricView::points() const {
  std::vector<PointView> points;
  for_each_field(data, [&](const Field& field) {
    if (field.is(1, length)) points.push_back(read_point(field.bytes, kind));
    return true;
  });
  return points;
}

std::string_view to_string(MetricKind kind) noexcept {
  switch (kind) {
    case MetricKind::none:
      return "none";
    case MetricKind::gauge:
      return "gauge";
    case MetricKind::sum:
      return "sum";
    case MetricKind::histogram:
      return "histogram";
    case MetricKind::exponential_histogram:
      return "exponential_histogram";
    case MetricKind::summary:
      return "summary";
  }
  return "unknown";
}

}  // namespace arca::otlp
