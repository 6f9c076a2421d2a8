#include "cli/query/span_details.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/query/log_list.hpp"
#include "cli/terminal_text.hpp"

namespace arca::cli::query {

namespace {

constexpr std::size_t lines_max = 30;  // of events and log records of one span, unless all are asked for
constexpr std::size_t value_columns_max = 200;

struct Timed {
  std::uint64_t time;
  DetailLine line;
};

std::string offset_text(std::uint64_t time, std::uint64_t start) {
  if (time < start) return "-" + format_span_duration(base::Duration(static_cast<std::int64_t>(start - time)));
  return "+" + format_span_duration(base::Duration(static_cast<std::int64_t>(time - start)));
}

std::string attributes_text(const otlp::AttributesView& attributes, bool all) {
  std::string text;
  for (const otlp::KeyValueView& each : attributes.all()) {
    if (!all && each.key == "exception.stacktrace") continue;  // with --details
    std::string value = value_text(each.value);
    if (!all) value = fit(value, value_columns_max);
    text += fmt::format(" {}={}", printable(each.key), value);
  }
  return text;
}

const char* kind_text(std::uint32_t kind) noexcept {
  switch (kind) {
    case 1:
      return "internal";
    case 2:
      return "server";
    case 3:
      return "client";
    case 4:
      return "producer";
    case 5:
      return "consumer";
    default:
      return "unspecified";
  }
}

DetailLine event_detail(const otlp::EventView& event, std::uint64_t trace_start, bool all, const Screen& screen) {
  const bool is_exception = event.name == "exception";
  return {std::string(screen.draw("•", "*")),
          offset_text(event.time, trace_start) + " " + printable(event.name) + attributes_text(event.attributes, all),
          is_exception ? Colour::bad : Colour::faint};
}

void add_facts(const SpanRecord& record, std::vector<DetailLine>& lines) {
  const otlp::SpanView& span = record.span;
  lines.push_back(
      {" ", fmt::format("span {}{} kind {} scope {} in {}", otlp::to_hex(span.span_id),
                        span.parent_span_id.empty() ? "" : " parent " + otlp::to_hex(span.parent_span_id),
                        kind_text(span.kind), printable(record.record.context->scope), to_string(record.places))});
  for (const otlp::KeyValueView& each : span.attributes.all()) {
    lines.push_back({" ", printable(each.key) + " = " + value_text(each.value)});
  }
  if (span.dropped_attribute_count + span.dropped_event_count + span.dropped_link_count != 0) {
    lines.push_back(
        {" ", fmt::format("dropped by its limits: {} attributes, {} events, {} links", span.dropped_attribute_count,
                          span.dropped_event_count, span.dropped_link_count)});
  }
}

}  // namespace

DetailLine log_detail(const LogRecord& record, std::uint64_t trace_start, const Screen& screen) {
  const otlp::LogView& log = record.log;
  std::string severity = printable(log.severity_text);
  if (severity.empty()) severity = severity_name(log.severity_number);
  const auto* const text = std::get_if<std::string_view>(&log.body);
  std::string body = text != nullptr ? printable(*text) : value_text(log.body);
  if (!log.event_name.empty()) body = printable(log.event_name) + ": " + body;
  return {
      std::string(screen.draw("▪", "-")),
      fmt::format("{} {}{}{}", offset_text(time_of(log), trace_start), severity, severity.empty() ? "" : " ", body) +
          attributes_text(log.attributes, false),
      severity_colour(log.severity_number)};
}

std::vector<DetailLine> span_details(const SpanRecord& record, const std::vector<const LogRecord*>& logs,
                                     std::uint64_t trace_start, bool all, const Screen& screen) {
  std::vector<DetailLine> lines;
  const otlp::SpanView& span = record.span;
  if (span.status_code == otlp::span_status_error) {
    const std::string why = printable(span.status_message);
    lines.push_back({std::string(screen.draw("✗", "!")), why.empty() ? "error" : "error: " + why, Colour::bad});
  }
  if (all) add_facts(record, lines);
  for (const otlp::LinkView& link : span.links()) {
    lines.push_back({std::string(screen.draw("↗", ">")),
                     fmt::format("link to trace {} span {}{}", otlp::to_hex(link.trace_id), otlp::to_hex(link.span_id),
                                 attributes_text(link.attributes, all))});
  }
  std::vector<Timed> timed;
  for (const otlp::EventView& event : span.events()) {
    timed.push_back({event.time, event_detail(event, trace_start, all, screen)});
  }
  for (const LogRecord* log : logs) timed.push_back({time_of(log->log), log_detail(*log, trace_start, screen)});
  std::stable_sort(timed.begin(), timed.end(), [](const Timed& a, const Timed& b) { return a.time < b.time; });
  const std::size_t shown = all ? timed.size() : std::min(timed.size(), lines_max);
  for (std::size_t i = 0; i < shown; ++i) lines.push_back(std::move(timed[i].line));
  if (shown < timed.size()) {
    lines.push_back(
        {" ", fmt::format("and {} more events and log records (--details shows all)", timed.size() - shown)});
  }
  return lines;
}

}  // namespace arca::cli::query
