#include "telemetry/logger.hpp"

#include "opentelemetry/context/runtime_context.h"
#include "opentelemetry/trace/span.h"
#include "os/log.hpp"
#include "telemetry/api_values.hpp"
#include "telemetry/scope_fields.hpp"

namespace arca::telemetry {

namespace logs_api = opentelemetry::logs;
namespace trace_api = opentelemetry::trace;
namespace common = opentelemetry::common;
namespace nostd = opentelemetry::nostd;

namespace {

void correlate(otlp::LogWriter& writer, const trace_api::SpanContext& span) noexcept {
  if (!span.IsValid()) return;
  writer.set_trace_id(to_trace_id(span.trace_id()));
  writer.set_span_id(to_span_id(span.span_id()));
  writer.set_trace_flags(span.trace_flags().flags());
}

// With the span of `context`, if there is one.
void correlate(otlp::LogWriter& writer, const opentelemetry::context::Context& context) noexcept {
  const auto value = context.GetValue(trace_api::kSpanKey);
  const auto* span = nostd::get_if<nostd::shared_ptr<trace_api::Span>>(&value);
  if (span != nullptr && *span) correlate(writer, (*span)->GetContext());
}

constexpr std::uint8_t severity_max = 24;

}  // namespace

LogRecord::LogRecord(Core& core, std::unique_ptr<otlp::LogWriter> writer) noexcept
    : core_(core), writer_(std::move(writer)) {}

LogRecord::~LogRecord() {
  if (ThreadCache* cache = ThreadCache::mine(); cache != nullptr) cache->give(std::move(writer_));
}

void* LogRecord::operator new(std::size_t size) {
  static_assert(sizeof(LogRecord) <= ThreadCache::block_size);
  ThreadCache* cache = ThreadCache::mine();
  if (cache == nullptr || size > ThreadCache::block_size) throw std::bad_alloc();
  return cache->take_block();
}

void LogRecord::operator delete(void* block) noexcept {
  if (block == nullptr) return;
  BlockAllocator<std::byte>().deallocate(static_cast<std::byte*>(block), 1);
}

void LogRecord::SetTimestamp(common::SystemTimestamp timestamp) noexcept { writer_->set_time(to_wall_time(timestamp)); }

void LogRecord::SetObservedTimestamp(common::SystemTimestamp timestamp) noexcept {
  writer_->set_observed_time(to_wall_time(timestamp));
  observed_ = timestamp.time_since_epoch().count() != 0;
}

void LogRecord::SetSeverity(logs_api::Severity severity) noexcept {
  const auto number = static_cast<std::uint8_t>(severity);
  if (number > severity_max) return;  // not a severity that OTLP knows
  writer_->set_severity(number);
  writer_->set_severity_text(to_std(logs_api::SeverityNumToText[number]));
}

void LogRecord::SetBody(const common::AttributeValue& message) noexcept { writer_->set_body(to_value(message)); }

void LogRecord::SetAttribute(nostd::string_view key, const common::AttributeValue& value) noexcept {
  writer_->set_attribute(to_std(key), to_value(value));
}

// OTLP has a name for events but no number. The SDK drops both in some versions; the name is what matters.
void LogRecord::SetEventId(std::int64_t, nostd::string_view name) noexcept { writer_->set_event_name(to_std(name)); }

void LogRecord::SetTraceId(const trace_api::TraceId& trace_id) noexcept {
  writer_->set_trace_id(to_trace_id(trace_id));
}
void LogRecord::SetSpanId(const trace_api::SpanId& span_id) noexcept { writer_->set_span_id(to_span_id(span_id)); }
void LogRecord::SetTraceFlags(const trace_api::TraceFlags& trace_flags) noexcept {
  writer_->set_trace_flags(trace_flags.flags());
}

base::Bytes LogRecord::end() noexcept {
  if (!observed_) writer_->set_observed_time(to_wall_time(core_.clock.now().unix_nanos));
  return writer_->end();
}

// `correlated` is a SpanContext or a Context.
template <class Correlated>
nostd::unique_ptr<logs_api::LogRecord> Logger::create(const Correlated& correlated) noexcept {
  ThreadCache* cache = ThreadCache::mine();
  try {
    auto writer = cache == nullptr ? nullptr : cache->take_log_writer();
    if (writer == nullptr) return nullptr;  // EmitLogRecord takes it
    writer->begin(core_.log_limits);
    correlate(*writer, correlated);
    return nostd::unique_ptr<logs_api::LogRecord>(new LogRecord(core_, std::move(writer)));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

nostd::unique_ptr<logs_api::LogRecord> Logger::CreateLogRecord() noexcept {
  return create(opentelemetry::context::RuntimeContext::GetCurrent());
}

#if OPENTELEMETRY_ABI_VERSION_NO >= 2 && ARCA_API_AT_LEAST(28)
nostd::unique_ptr<logs_api::LogRecord> Logger::CreateLogRecord(const SpanOrContext& correlated) noexcept {
  if (const auto* span = nostd::get_if<trace_api::SpanContext>(&correlated)) return create(*span);
  return create(*nostd::get_if<opentelemetry::context::Context>(&correlated));
}
#endif

void Logger::EmitLogRecord(nostd::unique_ptr<logs_api::LogRecord>&& given) noexcept {
  const nostd::unique_ptr<logs_api::LogRecord> record(std::move(given));
  // A record of somebody else's provider cannot be read: the API's setters have no getters.
  auto* mine = dynamic_cast<LogRecord*>(record.get());
  if (mine == nullptr || mine->core() != &core_) return;
  if (ThreadCache* cache = ThreadCache::mine(); cache != nullptr) cache->count(Count::log_created);
  core_.recorder.record(model::Signal::logs, scope_, mine->end(), 1);
}

nostd::shared_ptr<logs_api::Logger> LoggerProvider::GetLogger(nostd::string_view logger_name,
                                                              nostd::string_view library_name,
                                                              nostd::string_view library_version,
                                                              nostd::string_view schema_url,
                                                              const common::KeyValueIterable& attributes) {
  // The scope is the library; the SDK falls back to the logger's name as we do.
  const auto scope_name = library_name.empty() ? logger_name : library_name;
  auto fields = scope_fields(to_std(scope_name), to_std(library_version), to_std(schema_url), &attributes);
  const std::string name(logger_name.data(), logger_name.size());
  const std::string key = name + '\0' + std::string(base::as_text(fields));
  Logger& logger = loggers_.find_or_make(key, [&] { return std::make_unique<Logger>(core_, name, std::move(fields)); });
  return std::shared_ptr<logs_api::Logger>(std::shared_ptr<void>(), &logger);
}

}  // namespace arca::telemetry
