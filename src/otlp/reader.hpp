// Reader: visits an export request as views of its bytes, and counts its items. Used by `arca inspect`, `arca
// query`, `arca sink` and the tests. Whatever the bytes are, it reads nothing outside them.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "arca/result.hpp"
#include "base/bytes.hpp"
#include "model/signal.hpp"
#include "otlp/value.hpp"

namespace arca::otlp {

struct KeyValueView;

// A repeated KeyValue field inside a message.
struct AttributesView {
  base::Bytes message{};
  std::uint32_t field_number = 0;

  // Reads all of them, in their order; damaged ones are left out.
  [[nodiscard]] std::vector<KeyValueView> all() const;
};

// A repeated AnyValue field inside a message.
struct ValuesView {
  base::Bytes message{};
};

// Text, bytes and nested values borrow from the request.
using ValueView =
    std::variant<std::monostate, bool, std::int64_t, double, std::string_view, base::Bytes, ValuesView, AttributesView>;

// Reads an AnyValue message; monostate if it is empty or damaged.
ValueView read_value(base::Bytes any_value) noexcept;
[[nodiscard]] std::vector<ValueView> all_of(const ValuesView& values);

struct KeyValueView {
  std::string_view key{};
  ValueView value{};
};

struct ResourceView {
  AttributesView attributes{};
  std::string_view schema_url{};
  base::Bytes message{};  // the whole ResourceSpans, ResourceMetrics or ResourceLogs
};

struct ScopeView {
  std::string_view name{};
  std::string_view version{};
  std::string_view schema_url{};
  AttributesView attributes{};
  base::Bytes message{};  // the whole ScopeSpans, ScopeMetrics or ScopeLogs
};

struct EventView {
  std::uint64_t time = 0;  // nanoseconds since 1970, as all times here
  std::string_view name{};
  AttributesView attributes{};
  std::uint32_t dropped_attribute_count = 0;
};

struct LinkView {
  base::Bytes trace_id{};
  base::Bytes span_id{};
  std::string_view trace_state{};
  AttributesView attributes{};
  std::uint32_t flags = 0;
  std::uint32_t dropped_attribute_count = 0;
};

constexpr std::uint32_t span_status_error = 2;  // Status.StatusCode of the OTLP specification

struct SpanView {
  base::Bytes trace_id{};
  base::Bytes span_id{};
  base::Bytes parent_span_id{};
  std::string_view trace_state{};
  std::string_view name{};
  std::uint32_t kind = 0;
  std::uint64_t start_time = 0;
  std::uint64_t end_time = 0;
  std::uint32_t flags = 0;
  std::uint32_t status_code = 0;  // span_status_error, or less
  std::string_view status_message{};
  std::uint32_t dropped_attribute_count = 0;
  std::uint32_t dropped_event_count = 0;
  std::uint32_t dropped_link_count = 0;
  AttributesView attributes{};
  base::Bytes message{};  // the whole Span

  [[nodiscard]] std::vector<EventView> events() const;
  [[nodiscard]] std::vector<LinkView> links() const;
};

struct LogView {
  std::uint64_t time = 0;
  std::uint64_t observed_time = 0;
  std::uint32_t severity_number = 0;
  std::string_view severity_text{};
  std::string_view event_name{};
  ValueView body{};
  AttributesView attributes{};
  std::uint32_t dropped_attribute_count = 0;
  std::uint32_t flags = 0;
  base::Bytes trace_id{};
  base::Bytes span_id{};
  base::Bytes message{};  // the whole LogRecord
};

// As the fields of Metric are numbered.
enum class MetricKind : std::uint8_t {
  none = 0,
  gauge = 5,
  sum = 7,
  histogram = 9,
  exponential_histogram = 10,
  summary = 11,
};

// A data point of any kind: what all have in common, and the one number that stands for it.
struct PointView {
  AttributesView attributes{};
  std::uint64_t start_time = 0;
  std::uint64_t time = 0;
  std::variant<std::monostate, std::int64_t, double> value{};  // of a number; the sum of a histogram, if it has one
  std::uint64_t count = 0;                                     // of a histogram
  base::Bytes message{};
};

struct MetricView {
  std::string_view name{};
  std::string_view description{};
  std::string_view unit{};
  MetricKind kind = MetricKind::none;
  std::uint32_t temporality = 0;
  bool is_monotonic = false;
  base::Bytes data{};     // Gauge, Sum, ...
  base::Bytes message{};  // the whole Metric

  [[nodiscard]] std::vector<PointView> points() const;
};

std::string_view to_string(MetricKind kind) noexcept;

// Single records: the message without tag and length. ErrorCode::corrupt on damage.
Result<SpanView> read_span(base::Bytes message);
Result<LogView> read_log(base::Bytes message);
Result<MetricView> read_metric(base::Bytes message);

// Gets what stands in a request, top down: the resource before its scopes, a scope before its records.
class RequestVisitor {
 public:
  virtual ~RequestVisitor() = default;
  virtual void on_resource(const ResourceView&) {}
  virtual void on_scope(const ScopeView&) {}
  virtual void on_span(const SpanView&) {}
  virtual void on_log(const LogView&) {}
  virtual void on_metric(const MetricView&) {}
};

// Visits one Export*ServiceRequest. ErrorCode::corrupt at the first damage; what was visited by then stands.
Result<void> visit_request(model::Signal signal, base::Bytes request, RequestVisitor& visitor);

// Spans, log records or data points of a request, without looking deeper than needed.
Result<std::size_t> count_items(model::Signal signal, base::Bytes request);

// Span ids in their order (8 bytes each; spans without a proper id count as zero).
Result<std::vector<std::uint64_t>> collect_span_ids(base::Bytes request);

std::string to_hex(base::Bytes id);

}  // namespace arca::otlp
