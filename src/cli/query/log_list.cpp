#include "cli/query/log_list.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/terminal_text.hpp"

namespace arca::cli::query {

namespace {
constexpr std::size_t severity_columns = 5;
constexpr std::uint32_t severity_warning = 13;
constexpr std::uint32_t severity_error = 17;
}  // namespace

void LogList::on_log(const otlp::LogView& log) {
  if (!filter_.takes(owner(), log)) return;
  // The resource belongs to what a record is: two hosts may write the same line at the same time.
  const std::uint64_t key = hash_of(log.message) ^ hash_of(owner().resource.message);
  if (seen_.size() < seen_max ? !seen_.insert(key).second : seen_.contains(key)) return;
  ++match_count_;
  const std::uint64_t time = time_of(log);
  if (!kept_.takes(time)) return kept_.leave_out();
  LogRecord kept;
  kept.record = keep(log.message);
  kept.log = *otlp::read_log(kept.record.message);
  kept.places.insert(place());
  kept_.put(time, log.message.size(), std::move(kept));
}

std::optional<base::WallTime> LogList::oldest_wanted() const {
  if (!kept_.is_full() || kept_.empty()) return std::nullopt;
  return to_wall_time(kept_.oldest());
}

Colour severity_colour(std::uint32_t severity) noexcept {
  if (severity >= severity_error) return Colour::bad;
  return severity >= severity_warning ? Colour::warning : Colour::faint;
}

std::string log_line(const LogRecord& record, const Screen& screen, bool with_trace) {
  const otlp::LogView& log = record.log;
  std::string severity = printable(log.severity_text);
  if (severity.empty()) severity = severity_name(log.severity_number);
  const std::string service = printable(record.record.context->service);
  const auto* const text = std::get_if<std::string_view>(&log.body);
  std::string body = text != nullptr ? printable(*text) : value_text(log.body);
  if (!log.event_name.empty()) body = printable(log.event_name) + ": " + body;
  std::string line = screen.paint(Colour::faint, format_time(to_wall_time(time_of(log)))) + " " +
                     screen.paint(severity_colour(log.severity_number), pad_right(severity, severity_columns)) + " " +
                     screen.paint(Colour::service, screen.shown(service.empty() ? "-" : service)) + "  " +
                     screen.shown(body);
  std::string rest;
  for (const otlp::KeyValueView& each : log.attributes.all()) {
    rest += fmt::format("{}{}={}", rest.empty() ? "" : " ", printable(each.key), value_text(each.value));
  }
  if (with_trace && !log.trace_id.empty()) {
    rest += fmt::format("{}trace {}", rest.empty() ? "" : "  ", otlp::to_hex(log.trace_id));
  }
  if (!rest.empty()) line += "  " + screen.paint(Colour::faint, screen.shown(rest));
  return line;
}

}  // namespace arca::cli::query
