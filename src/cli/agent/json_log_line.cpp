#include "cli/agent/json_log_line.hpp"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/agent/text.hpp"

namespace arca::cli::agent {
namespace {

using Json = nlohmann::json;

constexpr int nesting_max = 32;  // dumping recurses once per level

int nesting(std::string_view text) {
  int depth = 0, deepest = 0;
  for (const char c : text) {
    if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    if (c == '}' || c == ']') --depth;
  }
  return deepest;
}

bool is_any_of(std::string_view key, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), key) != names.end();
}

std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

LogValue to_value(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_float()) return value.get<double>();
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) return dump(value);
  if (value.is_number_integer()) return value.get<std::int64_t>();
  return dump(value);
}

std::optional<base::WallTime> to_time(const Json& value, const TimeContext& context) {
  const std::string text = value.is_string() ? value.get<std::string>() : value.is_number() ? dump(value) : "";
  if (const auto time = read_iso_time(text, context)) return time->time;
  if (const auto time = read_epoch_time(text)) return time->time;
  return std::nullopt;
}

// Some libraries number their levels by tens: 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal.
LogSeverity to_severity(const Json& value) {
  if (value.is_string()) return severity_of(value.get<std::string>());
  if (!value.is_number_integer()) return LogSeverity::none;
  constexpr LogSeverity by_tens[] = {LogSeverity::trace, LogSeverity::debug, LogSeverity::info,
                                     LogSeverity::warn,  LogSeverity::error, LogSeverity::fatal};
  const auto level = value.get<std::int64_t>();
  return level >= 10 && level <= 60 && level % 10 == 0 ? by_tens[level / 10 - 1] : LogSeverity::none;
}

// Takes a member that has a meaning of its own; false: it is an attribute like any other.
bool take_known(const std::string& key, const Json& value, const TimeContext& context, LogLine& line) {
  if (is_any_of(key, {"time", "timestamp", "ts", "@timestamp", "datetime"}) && !line.time) {
    line.time = to_time(value, context);
    return line.time.has_value();
  }
  if (is_any_of(key, {"level", "severity", "lvl", "loglevel", "log.level", "severity_text"}) &&
      line.severity == LogSeverity::none) {
    line.severity = to_severity(value);
    return false;  // stays an attribute as well: the API has no place for the word that was used
  }
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  if (is_any_of(key, {"trace_id", "traceId", "traceid", "trace.id", "TraceId"}) && line.trace_id.empty()) {
    line.trace_id = to_hex_id(text, 32);
    return !line.trace_id.empty();
  }
  if (is_any_of(key, {"span_id", "spanId", "spanid", "span.id", "SpanId"}) && line.span_id.empty()) {
    line.span_id = to_hex_id(text, 16);
    return !line.span_id.empty();
  }
  return false;
}

}  // namespace

bool read_json_line(std::string_view text, const TimeContext& context, LogLine& line) {
  const std::size_t start = text.find_first_not_of(" \t");
  if (start == std::string_view::npos || text[start] != '{' || nesting(text) > nesting_max) return false;
  const Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (object.is_discarded() || !object.is_object()) return false;
  LogLine read;
  // Without a message, or with more members than a record may carry, the whole object stays the body.
  bool body_is_message = false;
  if (object.size() <= json_attributes_max) {
    for (const char* key : {"message", "msg", "body", "log"}) {
      const auto found = object.find(key);
      if (found == object.end() || !found->is_string()) continue;
      read.body = found->get<std::string>();
      body_is_message = true;
      break;
    }
  }
  if (!body_is_message) read.body = std::string(text);
  bool message_skipped = false;
  for (const auto& [key, value] : object.items()) {
    if (take_known(key, value, context, read)) continue;
    if (body_is_message && !message_skipped && value.is_string() && value.get_ref<const std::string&>() == read.body &&
        is_any_of(key, {"message", "msg", "body", "log"})) {
      message_skipped = true;
      continue;
    }
    if (read.attributes.size() < json_attributes_max) read.attributes.emplace_back(key, to_value(value));
  }
  // A span without its trace says nothing.
  if (read.trace_id.empty()) read.span_id.clear();
  line = std::move(read);
  return true;
}

}  // namespace arca::cli::agent
