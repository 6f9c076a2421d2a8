#include "cli/query/filter.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "cli/terminal_text.hpp"
#include "otlp/wire_reader.hpp"

namespace arca::cli::query {

namespace {

constexpr std::array<std::string_view, 6> severity_names{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
constexpr std::uint32_t severities_per_name = 4;
constexpr std::uint32_t severity_last = 24;

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

std::optional<double> as_number(const std::string& text) noexcept {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// Whether the value is what was typed; of an array, whether one of its values is.
bool is_value(const otlp::ValueView& value, const std::string& wanted) {
  if (const auto* text = std::get_if<std::string_view>(&value)) return *text == wanted;
  if (const auto* number = std::get_if<double>(&value)) return as_number(wanted) == *number;
  if (const auto* values = std::get_if<otlp::ValuesView>(&value)) {
    const auto all = otlp::all_of(*values);
    return std::any_of(all.begin(), all.end(), [&](const otlp::ValueView& each) { return is_value(each, wanted); });
  }
  return value_text(value) == wanted;
}

// Looks at keys alone until one fits: a million spans may be asked.
bool has(const otlp::AttributesView& attributes, const std::pair<std::string, std::string>& wanted) {
  bool found = false;
  otlp::for_each_field(attributes.message, [&](const otlp::Field& pair) {
    if (!pair.is(attributes.field_number, otlp::WireType::length)) return true;
    bool is_key = false;
    otlp::for_each_field(pair.bytes, [&](const otlp::Field& field) {
      if (field.is(1, otlp::WireType::length)) is_key = field.text() == wanted.first;
      if (field.is(2, otlp::WireType::length) && is_key) found = is_value(otlp::read_value(field.bytes), wanted.second);
      return !found;
    });
    return !found;
  });
  return found;
}

bool is_trace(base::Bytes id, const TraceId& wanted) noexcept {
  return id.size() == wanted.size() && std::memcmp(id.data(), wanted.data(), wanted.size()) == 0;
}

}  // namespace

Wanted Filter::wanted(model::SignalSet signals) const {
  Wanted wanted;
  wanted.signals = signals;
  wanted.since = since;
  wanted.until = until;
  wanted.service = service;
  if (trace) wanted.traces.push_back(*trace);
  wanted.errors_only = status == 2U;
  wanted.duration_min = duration_min;
  return wanted;
}

bool Filter::takes_time(std::uint64_t nanos) const noexcept {
  const base::WallTime time = to_wall_time(nanos);
  return (!since || time >= *since) && (!until || time < *until);
}

bool Filter::takes_attributes(const Owner& owner, const otlp::AttributesView& attributes_of_record) const {
  return std::all_of(attributes.begin(), attributes.end(), [&](const auto& wanted) {
    return has(attributes_of_record, wanted) || has(owner.resource, wanted);
  });
}

bool Filter::takes(const Owner& owner, const otlp::SpanView& span) const {
  if (!service.empty() && owner.service != service) return false;
  if (!operation.empty() && span.name != operation) return false;
  if (trace && !is_trace(span.trace_id, *trace)) return false;
  if (status && span.status_code != *status) return false;
  return takes_time(span.start_time) && duration_of(span) >= duration_min && takes_attributes(owner, span.attributes);
}

bool Filter::takes(const Owner& owner, const otlp::LogView& log) const {
  if (!service.empty() && owner.service != service) return false;
  if (trace && !is_trace(log.trace_id, *trace)) return false;
  if (severity_min != 0) {
    const std::uint32_t severity =
        log.severity_number != 0 ? log.severity_number : parse_severity(log.severity_text).value_or(0);
    if (severity < severity_min) return false;
  }
  if (!takes_time(time_of(log))) return false;
  if (!contains.empty()) {
    const auto* const text = std::get_if<std::string_view>(&log.body);
    const bool found = text != nullptr ? text->find(contains) != std::string_view::npos
                                       : value_text(log.body).find(contains) != std::string::npos;
    if (!found && log.event_name.find(contains) == std::string_view::npos) return false;
  }
  return takes_attributes(owner, log.attributes);
}

bool Filter::takes(const Owner& owner, const otlp::MetricView& view) const {
  if (!service.empty() && owner.service != service) return false;
  if (metric.ends_with('*')) {
    if (!view.name.starts_with(std::string_view(metric).substr(0, metric.size() - 1))) return false;
  } else if (!metric.empty() && view.name != metric) {
    return false;
  }
  if (!since && !until && attributes.empty()) return true;
  const auto points = view.points();
  return std::any_of(points.begin(), points.end(),
                     [&](const otlp::PointView& point) { return takes_point(owner, point); });
}

bool Filter::takes_point(const Owner& owner, const otlp::PointView& point) const {
  return takes_time(point.time) && takes_attributes(owner, point.attributes);
}

std::uint64_t time_of(const otlp::LogView& log) noexcept { return log.time != 0 ? log.time : log.observed_time; }

base::WallTime to_wall_time(std::uint64_t nanos) noexcept {
  return base::WallTime(base::Duration(static_cast<std::int64_t>(std::min<std::uint64_t>(nanos, INT64_MAX))));
}

bool has_parent(const otlp::SpanView& span) noexcept {
  return std::any_of(span.parent_span_id.begin(), span.parent_span_id.end(),
                     [](std::byte byte) { return byte != std::byte{0}; });
}

base::Duration duration_of(const otlp::SpanView& span) noexcept {
  return span.end_time > span.start_time ? to_wall_time(span.end_time) - to_wall_time(span.start_time)
                                         : base::Duration::zero();
}

std::optional<std::uint32_t> parse_severity(std::string_view text) noexcept {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) {
    return number >= 1 && number <= severity_last ? std::optional(number) : std::nullopt;
  }
  if (equals_ignoring_case(text, "warning")) text = "WARN";
  for (std::size_t i = 0; i < severity_names.size(); ++i) {
    if (equals_ignoring_case(text, severity_names[i])) return static_cast<std::uint32_t>(i) * severities_per_name + 1;
  }
  return std::nullopt;
}

std::string_view severity_name(std::uint32_t number) noexcept {
  if (number == 0 || number > severity_last) return "";
  return severity_names[(number - 1) / severities_per_name];
}

std::optional<TraceId> parse_trace_id(std::string_view hex) noexcept {
  TraceId id{};
  if (hex.size() != 2 * id.size()) return std::nullopt;
  for (std::size_t i = 0; i < id.size(); ++i) {
    unsigned value = 0;
    const char* const at = hex.data() + 2 * i;
    const auto [end, error] = std::from_chars(at, at + 2, value, 16);
    if (error != std::errc() || end != at + 2) return std::nullopt;
    id[i] = static_cast<std::byte>(value);
  }
  return id;
}

}  // namespace arca::cli::query
