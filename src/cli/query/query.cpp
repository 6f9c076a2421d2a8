#include "cli/query/query.hpp"

#include <algorithm>
#include <array>

#include "cli/query/time_point.hpp"
#include "cli/units.hpp"

namespace arca::cli::query {

namespace {

constexpr std::array<std::string_view, subject_count> subject_names{"services", "operations", "traces",
                                                                    "trace",    "logs",       "metrics"};
constexpr std::array<std::size_t, subject_count> limits{1000, 1000, 20, 5000, 100, 200};

auto invalid(const std::string& what) { return failure(ErrorCode::invalid_config, what); }

// Which options belong to which subjects.
struct Rule {
  std::string_view option;
  bool is_given;
  std::vector<Subject> subjects;
};

Result<void> check_options(Subject subject, const QueryWords& words) {
  using enum Subject;
  const std::vector<Rule> rules{
      {"--service", !words.service.empty(), {operations, traces, logs, metrics}},
      {"--operation", !words.operation.empty(), {traces}},
      {"--since", !words.since.empty(), {services, operations, traces, logs, metrics}},
      {"--until", !words.until.empty(), {services, operations, traces, logs, metrics}},
      {"--min-duration", !words.duration_min.empty(), {traces}},
      {"--status", !words.status.empty(), {traces}},
      {"--attribute", !words.attributes.empty(), {traces, logs, metrics}},
      {"--trace", !words.trace.empty(), {logs}},
      {"--severity", !words.severity.empty(), {logs}},
      {"--contains", !words.contains.empty(), {logs}},
      {"--name", !words.metric.empty(), {metrics}},
      {"--details", words.details, {trace}},
      {"--follow", words.follow, {traces, logs, metrics}},
      {"a trace id", !words.id.empty(), {trace}},
  };
  for (const Rule& rule : rules) {
    if (!rule.is_given || std::find(rule.subjects.begin(), rule.subjects.end(), subject) != rule.subjects.end())
      continue;
    std::string allowed;
    for (const Subject each : rule.subjects) allowed += (allowed.empty() ? "" : ", ") + std::string(to_string(each));
    return invalid(std::string(rule.option) + " does not go with " + std::string(to_string(subject)) +
                   "; it goes with: " + allowed);
  }
  if (subject == trace && words.id.empty()) return invalid("which trace? Give its id behind `trace`");
  return {};
}

// 32 hex digits, or a whole traceparent header.
Result<TraceId> read_trace_id(const std::string& text) {
  const bool is_header = text.size() == 55 && text[2] == '-' && text[35] == '-';
  if (const auto id = parse_trace_id(is_header ? std::string_view(text).substr(3, 32) : text)) return *id;
  return invalid("'" + text + "' is no trace id; allowed: 32 hexadecimal digits, or a traceparent");
}

Result<void> read_times(const QueryWords& words, base::WallTime now, Filter& filter) {
  const auto read = [&](const std::string& option, const std::string& text,
                        std::optional<base::WallTime>& to) -> Result<void> {
    if (text.empty()) return {};
    to = parse_time(text, now);
    if (to) return {};
    return invalid(option + ": '" + text + "' is no time; allowed: 15m (ago), 12:00, 2026-01-31, 2026-01-31T12:00:00Z");
  };
  if (const auto done = read("--since", words.since, filter.since); !done) return done;
  if (const auto done = read("--until", words.until, filter.until); !done) return done;
  if (filter.since && filter.until && *filter.since >= *filter.until) return invalid("--since is not before --until");
  return {};
}

}  // namespace

std::string_view to_string(Subject subject) noexcept { return subject_names[static_cast<std::size_t>(subject)]; }

std::optional<Subject> parse_subject(std::string_view text) noexcept {
  const auto* const at = std::find(subject_names.begin(), subject_names.end(), text);
  if (at == subject_names.end()) return std::nullopt;
  return static_cast<Subject>(at - subject_names.begin());
}

Result<Query> make_query(const QueryWords& words, base::WallTime now) {
  Query query;
  const auto subject = parse_subject(words.subject);
  if (!subject) {
    return invalid("'" + words.subject +
                   "' cannot be asked for; allowed: services, operations, traces, trace, logs, metrics");
  }
  query.subject = *subject;
  if (const auto done = check_options(*subject, words); !done) return failure(done.error());
  Filter& filter = query.filter;
  filter.service = words.service;
  filter.operation = words.operation;
  filter.contains = words.contains;
  filter.metric = words.metric;
  if (const auto done = read_times(words, now, filter); !done) return failure(done.error());
  if (!words.duration_min.empty()) {
    const auto duration = parse_duration(words.duration_min);
    if (!duration) return invalid("--min-duration: " + check_duration(words.duration_min));
    filter.duration_min = *duration;
  }
  if (!words.status.empty()) {
    constexpr std::array<std::string_view, 3> statuses{"unset", "ok", "error"};
    const auto* const at = std::find(statuses.begin(), statuses.end(), words.status);
    if (at == statuses.end()) return invalid("--status: '" + words.status + "'; allowed: ok, error, unset");
    filter.status = static_cast<std::uint32_t>(at - statuses.begin());
  }
  for (const std::string& attribute : words.attributes) {
    const std::size_t equals = attribute.find('=');
    if (equals == std::string::npos || equals == 0) {
      return invalid("--attribute: '" + attribute + "'; allowed: key=value");
    }
    filter.attributes.emplace_back(attribute.substr(0, equals), attribute.substr(equals + 1));
  }
  if (!words.severity.empty()) {
    const auto severity = parse_severity(words.severity);
    if (!severity) {
      return invalid("--severity: '" + words.severity + "'; allowed: trace, debug, info, warn, error, fatal, 1 to 24");
    }
    filter.severity_min = *severity;
  }
  const std::string& id = *subject == Subject::trace ? words.id : words.trace;
  if (!id.empty()) {
    const auto trace = read_trace_id(id);
    if (!trace) return failure(trace.error());
    filter.trace = *trace;
  }
  query.limit = words.limit != 0 ? words.limit : limits[static_cast<std::size_t>(*subject)];
  query.json = words.json;
  query.follow = words.follow;
  query.details = words.details;
  return query;
}

}  // namespace arca::cli::query
