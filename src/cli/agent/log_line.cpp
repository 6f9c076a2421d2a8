#include "cli/agent/log_line.hpp"

#include <algorithm>
#include <array>

#include "cli/agent/json_log_line.hpp"
#include "cli/agent/text.hpp"

namespace arca::cli::agent {
namespace {

constexpr std::size_t severity_reach = 96;  // bytes behind the time in which a word counts as the severity

bool has_only_hex(std::string_view text) { return std::all_of(text.begin(), text.end(), is_hex); }
bool has_only_zeros(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

LogSeverity severity_of_syslog(unsigned priority) {
  constexpr std::array<LogSeverity, 8> by_number = {LogSeverity::fatal2, LogSeverity::fatal, LogSeverity::error2,
                                                    LogSeverity::error,  LogSeverity::warn,  LogSeverity::info2,
                                                    LogSeverity::info,   LogSeverity::debug};
  return by_number[priority % 8];
}

// Cuts "<34>" off the front of a syslog line.
std::optional<unsigned> take_priority(std::string_view& rest) {
  const std::size_t end = rest.find('>');
  if (rest.empty() || rest[0] != '<' || end == std::string_view::npos || end > 4) return std::nullopt;
  const auto priority = to_number<unsigned>(rest.substr(1, end - 1));
  if (!priority || *priority > 191) return std::nullopt;
  rest.remove_prefix(end + 1);
  return priority;
}

void add_text(LogLine& line, const char* key, std::string_view value) {
  if (!value.empty() && value != "-") line.attributes.emplace_back(key, std::string(value));
}

// Reads "program[123]:" or "program:".
void add_tag(LogLine& line, std::string_view tag) {
  if (tag.empty() || tag.back() != ':') return;
  tag.remove_suffix(1);
  const std::size_t open = tag.find('[');
  add_text(line, "syslog.appname", tag.substr(0, open));
  if (open == std::string_view::npos || tag.back() != ']') return;
  if (const auto pid = to_number<std::int64_t>(tag.substr(open + 1, tag.size() - open - 2))) {
    line.attributes.emplace_back("process.pid", *pid);
  }
}

bool read_syslog(std::string_view text, const TimeContext& context, LogLine& line) {
  std::string_view rest = text;
  const auto priority = take_priority(rest);
  if (priority && rest.starts_with("1 ")) {
    rest.remove_prefix(2);
    const auto time = read_iso_time(rest, context);
    if (!time && !rest.starts_with("- ")) return false;
    if (time) line.time = time->time;
    next_field(rest);
    add_text(line, "host.name", next_field(rest));
    add_text(line, "syslog.appname", next_field(rest));
    add_text(line, "syslog.procid", next_field(rest));
    add_text(line, "syslog.msgid", next_field(rest));
  } else {
    auto time = read_bsd_time(rest, context);
    if (!time && priority) time = read_iso_time(rest, context);
    if (!time) return false;
    line.time = time->time;
    rest.remove_prefix(time->length);
    add_text(line, "host.name", next_field(rest));
    add_tag(line, next_field(rest));
  }
  if (priority) {
    line.severity = severity_of_syslog(*priority);
    line.attributes.emplace_back("syslog.facility.code", static_cast<std::int64_t>(*priority / 8));
  }
  return true;
}

// address - user [23/Nov/2026:18:47:42 +0000] "GET /path HTTP/1.1" 200 612 "referrer" "user agent"
bool read_access_log(std::string_view text, LogLine& line) {
  const std::size_t open = text.substr(0, 512).find('[');
  if (open == std::string_view::npos || open == 0) return false;
  const auto time = read_access_time(text.substr(open + 1));
  if (!time) return false;
  line.time = time->time;
  std::string_view rest = text.substr(0, open);
  add_text(line, "client.address", next_field(rest));
  rest = text.substr(open + 1 + time->length);
  const auto quoted = [&rest]() -> std::string_view {
    const std::size_t start = rest.find('"');
    if (start == std::string_view::npos) return {};
    rest.remove_prefix(start + 1);
    const std::size_t end = rest.find('"');
    const std::string_view inside = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return inside;
  };
  std::string_view request = quoted();
  add_text(line, "http.request.method", next_field(request));
  const std::string_view target = next_field(request);
  add_text(line, "url.path", target.substr(0, target.find('?')));
  if (const auto status = to_number<std::int64_t>(next_field(rest))) {
    line.attributes.emplace_back("http.response.status_code", *status);
  }
  if (const auto bytes = to_number<std::int64_t>(next_field(rest))) {
    line.attributes.emplace_back("http.response.body.size", *bytes);
  }
  quoted();  // the referrer stays in the body
  add_text(line, "user_agent.original", quoted());
  return true;
}

bool read_klog(std::string_view text, const TimeContext& context, LogLine& line) {
  if (text.empty() || std::string_view("IWEF").find(text[0]) == std::string_view::npos) return false;
  const auto time = read_klog_time(text.substr(1), context);
  if (!time) return false;
  line.time = time->time;
  line.severity = severity_of(text.substr(0, 1));
  return true;
}

// The first word that names a severity, or the value of level=...; words of one letter count only in brackets.
void find_severity(std::string_view text, LogLine& line) {
  text = text.substr(0, severity_reach);
  for (std::size_t start = 0; start < text.size();) {
    if (!is_word(text[start])) {
      ++start;
      continue;
    }
    std::size_t end = start;
    while (end < text.size() && is_word(text[end])) ++end;
    const std::string_view word = text.substr(start, end - start);
    const bool bracketed = start > 0 && end < text.size() && (text[start - 1] == '[' || text[start - 1] == '<');
    const bool shouted = std::none_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
    const bool named = start > 0 && text[start - 1] == '=';
    const bool before_colon = end < text.size() && text[end] == ':';
    // "no error" in a sentence is not a severity: it must be shouted, bracketed, given by name, or end in a colon.
    if ((bracketed || named || before_colon || shouted) && (word.size() > 1 || bracketed)) {
      if (const LogSeverity severity = severity_of(word); severity != LogSeverity::none) {
        line.severity = severity;
        return;
      }
    }
    start = end;
  }
}

// Finds "trace_id=…", "traceId: …", "trace.id":"…" and the like; the value must be `digits` hex digits.
std::string find_id(std::string_view text, std::string_view word, std::size_t digits) {
  for (std::size_t at = 0; at + word.size() < text.size(); ++at) {
    if (!equals_ignoring_case(text.substr(at, word.size()), word)) continue;
    std::size_t next = at + word.size();
    if (next < text.size() && (text[next] == '_' || text[next] == '.' || text[next] == '-')) ++next;
    if (!equals_ignoring_case(text.substr(next, 2), "id")) continue;
    next += 2;
    while (next < text.size() && std::string_view("\"'=: ").find(text[next]) != std::string_view::npos) ++next;
    const std::string id = to_hex_id(text.substr(next, digits), digits);
    if (!id.empty() && (next + digits == text.size() || !is_word(text[next + digits]))) return id;
  }
  return {};
}

// A traceparent anywhere: 00-<32>-<16>-<2>.
bool find_traceparent(std::string_view text, LogLine& line) {
  for (std::size_t at = text.find("00-"); at != std::string_view::npos; at = text.find("00-", at + 1)) {
    if (at + 55 > text.size() || text[at + 35] != '-' || text[at + 52] != '-') continue;
    const std::string trace_id = to_hex_id(text.substr(at + 3, 32), 32);
    const std::string span_id = to_hex_id(text.substr(at + 36, 16), 16);
    if (trace_id.empty() || span_id.empty()) continue;
    line.trace_id = trace_id;
    line.span_id = span_id;
    return true;
  }
  return false;
}

void find_trace(std::string_view text, LogLine& line) {
  line.trace_id = find_id(text, "trace", 32);
  if (!line.trace_id.empty()) {
    line.span_id = find_id(text, "span", 16);
  } else {
    find_traceparent(text, line);
  }
}

}  // namespace

std::string to_hex_id(std::string_view text, std::size_t digits) {
  if (text.size() != digits || !has_only_hex(text) || has_only_zeros(text)) return {};
  std::string id(text);
  std::transform(id.begin(), id.end(), id.begin(), to_lower);
  return id;
}

LogSeverity severity_of(std::string_view word) {
  struct Name {
    std::string_view name;
    LogSeverity severity;
  };
  constexpr Name names[] = {{"trace", LogSeverity::trace},
                            {"debug", LogSeverity::debug},
                            {"dbg", LogSeverity::debug},
                            {"d", LogSeverity::debug},
                            {"info", LogSeverity::info},
                            {"information", LogSeverity::info},
                            {"informational", LogSeverity::info},
                            {"i", LogSeverity::info},
                            {"inf", LogSeverity::info},
                            {"notice", LogSeverity::info2},
                            {"warn", LogSeverity::warn},
                            {"warning", LogSeverity::warn},
                            {"wrn", LogSeverity::warn},
                            {"w", LogSeverity::warn},
                            {"error", LogSeverity::error},
                            {"err", LogSeverity::error},
                            {"e", LogSeverity::error},
                            {"severe", LogSeverity::error},
                            {"crit", LogSeverity::error2},
                            {"critical", LogSeverity::error2},
                            {"alert", LogSeverity::fatal},
                            {"fatal", LogSeverity::fatal},
                            {"f", LogSeverity::fatal},
                            {"panic", LogSeverity::fatal},
                            {"emerg", LogSeverity::fatal2},
                            {"emergency", LogSeverity::fatal2}};
  for (const Name& one : names)
    if (equals_ignoring_case(one.name, word)) return one.severity;
  return LogSeverity::none;
}

LogLine parse_log_line(std::string_view text, const TimeContext& context) {
  LogLine line;
  line.body = std::string(text);
  if (read_json_line(text, context, line)) return line;
  const bool known = read_syslog(text, context, line) || read_access_log(text, line) || read_klog(text, context, line);
  std::string_view rest = text;
  if (!known) {
    const std::size_t bracket = rest.starts_with('[') ? 1 : 0;
    auto time = read_iso_time(rest.substr(bracket), context);
    if (!time) time = read_epoch_time(rest.substr(bracket));
    if (time) {
      line.time = time->time;
      rest.remove_prefix(bracket + time->length);
    }
  }
  if (line.severity == LogSeverity::none) find_severity(rest, line);
  find_trace(text, line);
  return line;
}

}  // namespace arca::cli::agent
