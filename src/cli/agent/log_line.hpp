// One line of somebody's log file, understood as far as it can be: time, severity, trace and attributes when they
// stand there. Pure; used by LogEmitter. Everything that is not recognised stays in the body: nothing is cut away.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cli/agent/timestamps.hpp"

namespace arca::cli::agent {

// The numbers of the OpenTelemetry log data model (first of each range).
enum class LogSeverity : std::uint8_t {
  none = 0,
  trace = 1,
  debug = 5,
  info = 9,
  info2 = 10,
  warn = 13,
  error = 17,
  error2 = 18,
  fatal = 21,
  fatal2 = 22
};

using LogValue = std::variant<std::string, std::int64_t, double, bool>;

struct LogLine {
  std::string body;
  std::optional<base::WallTime> time;
  LogSeverity severity = LogSeverity::none;
  std::string trace_id, span_id;  // lower-case hex, 32 and 16 digits; empty: none
  std::vector<std::pair<std::string, LogValue>> attributes;
};

constexpr std::size_t json_attributes_max = 64;  // of one line; the others stay in the body

// Recognises, in this order: JSON objects, syslog (RFC 5424, RFC 3164), access logs, klog, and lines that begin
// with an ISO 8601, nginx or epoch time. Never fails: an unknown form gives a body and nothing else.
LogLine parse_log_line(std::string_view text, const TimeContext& context);

// Reads a severity's usual names ("warn", "WARNING", "E", "crit"); none if it is no such name.
LogSeverity severity_of(std::string_view word);

}  // namespace arca::cli::agent
