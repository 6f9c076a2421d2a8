#include "cli/agent/log_emitter.hpp"

#include <ctime>

#include "cli/agent/text.hpp"

namespace arca::cli::agent {
namespace {

namespace api = opentelemetry;
using api::nostd::string_view;

string_view view(const std::string& text) { return {text.data(), text.size()}; }

std::chrono::seconds local_offset(base::WallTime now) {
  const std::time_t seconds =
      std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(now));
  std::tm local = {};
  return ::localtime_r(&seconds, &local) != nullptr ? std::chrono::seconds(local.tm_gmtoff) : std::chrono::seconds(0);
}

template <std::size_t bytes>
void from_hex(const std::string& hex, std::uint8_t (&target)[bytes]) {
  for (std::size_t i = 0; i < bytes; ++i) {
    target[i] = to_number<std::uint8_t>(std::string_view(hex).substr(2 * i, 2), 16).value_or(0);
  }
}

api::common::AttributeValue to_attribute(const LogValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return view(*text);
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  if (const auto* real = std::get_if<double>(&value)) return *real;
  return std::get<bool>(value);
}

}  // namespace

bool LogEmitter::accept(const std::string& path, const LogSource& source, const std::vector<SplitRecord>& records) {
  const std::uint64_t refused_before = refused_count_ ? refused_count_() : 0;
  const base::WallTime now = clock_.wall_now();
  const TimeContext context{now, local_offset(now)};
  for (const SplitRecord& record : records) emit(parse_log_line(record.text, context), path, source, now);
  return !refused_count_ || refused_count_() == refused_before;
}

void LogEmitter::emit(const LogLine& line, const std::string& path, const LogSource& source, base::WallTime now) {
  auto record = logger_->CreateLogRecord();
  if (!record) return;  // the no-op logger: logs are switched off
  if (line.time) record->SetTimestamp(api::common::SystemTimestamp(*line.time));
  record->SetObservedTimestamp(api::common::SystemTimestamp(now));
  if (line.severity != LogSeverity::none) record->SetSeverity(static_cast<api::logs::Severity>(line.severity));
  record->SetBody(view(line.body));
  if (!line.trace_id.empty()) {
    std::uint8_t trace_id[api::trace::TraceId::kSize];
    from_hex(line.trace_id, trace_id);
    record->SetTraceId(api::trace::TraceId(trace_id));
  }
  if (!line.span_id.empty()) {
    std::uint8_t span_id[api::trace::SpanId::kSize];
    from_hex(line.span_id, span_id);
    record->SetSpanId(api::trace::SpanId(span_id));
  }
  for (const auto& [key, value] : line.attributes) record->SetAttribute(view(key), to_attribute(value));
  for (const auto& [key, value] : source.attributes) record->SetAttribute(view(key), view(value));
  const std::size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  record->SetAttribute("log.file.name", view(name));
  record->SetAttribute("log.file.path", view(path));
  logger_->EmitLogRecord(std::move(record));
}

}  // namespace arca::cli::agent
