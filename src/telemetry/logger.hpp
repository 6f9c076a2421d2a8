// LoggerProvider, Logger and LogRecord on the API's headers. A log record costs one recycled block and one
// recycled writer. Made by Telemetry and installed as the process's global provider.
#pragma once

#include <memory>
#include <string>

#include "opentelemetry/logs/log_record.h"
#include "opentelemetry/logs/logger.h"
#include "opentelemetry/logs/logger_provider.h"
#include "otlp/log_writer.hpp"
#include "telemetry/api_version.hpp"
#include "telemetry/core.hpp"

namespace arca::telemetry {

// Not thread-safe: one thread fills one record.
class LogRecord final : public opentelemetry::logs::LogRecord {
 public:
  // `writer` has begun the record.
  LogRecord(Core& core, std::unique_ptr<otlp::LogWriter> writer) noexcept;
  ~LogRecord() override;

  static void* operator new(std::size_t size);
  static void operator delete(void* block) noexcept;

  void SetTimestamp(opentelemetry::common::SystemTimestamp timestamp) noexcept override;
  void SetObservedTimestamp(opentelemetry::common::SystemTimestamp timestamp) noexcept override;
  void SetSeverity(opentelemetry::logs::Severity severity) noexcept override;
  void SetBody(const opentelemetry::common::AttributeValue& message) noexcept override;
  void SetAttribute(opentelemetry::nostd::string_view key,
                    const opentelemetry::common::AttributeValue& value) noexcept override;
  void SetEventId(std::int64_t id, opentelemetry::nostd::string_view name) noexcept override;
  void SetTraceId(const opentelemetry::trace::TraceId& trace_id) noexcept override;
  void SetSpanId(const opentelemetry::trace::SpanId& span_id) noexcept override;
  void SetTraceFlags(const opentelemetry::trace::TraceFlags& trace_flags) noexcept override;

  // Closes the record; its bytes live until the record dies.
  [[nodiscard]] base::Bytes end() noexcept;
  [[nodiscard]] const Core* core() const noexcept { return &core_; }

 private:
  Core& core_;
  std::unique_ptr<otlp::LogWriter> writer_;
  bool observed_ = false;
};

// Thread-safe. Lives as long as its core.
class Logger final : public opentelemetry::logs::Logger {
 public:
  Logger(Core& core, std::string name, std::vector<std::byte> scope_fields)
      : core_(core), name_(std::move(name)), scope_(core.resource, std::move(scope_fields)) {
    SetMinimumSeverity(0);  // left alone, the API says that no severity is enabled, and in ABI 2 emits none
  }

  using opentelemetry::logs::Logger::EmitLogRecord;
  const opentelemetry::nostd::string_view GetName() noexcept override { return name_; }
  opentelemetry::nostd::unique_ptr<opentelemetry::logs::LogRecord> CreateLogRecord() noexcept override;
  void EmitLogRecord(opentelemetry::nostd::unique_ptr<opentelemetry::logs::LogRecord>&& given) noexcept override;
#if OPENTELEMETRY_ABI_VERSION_NO >= 2 && ARCA_API_AT_LEAST(28)
  using SpanOrContext =
      opentelemetry::nostd::variant<opentelemetry::trace::SpanContext, opentelemetry::context::Context>;
  opentelemetry::nostd::unique_ptr<opentelemetry::logs::LogRecord> CreateLogRecord(
      const SpanOrContext& correlated) noexcept override;
#endif

 private:
  template <class Correlated>
  opentelemetry::nostd::unique_ptr<opentelemetry::logs::LogRecord> create(const Correlated& correlated) noexcept;

  // Every record is taken, whatever its severity and event. The API asks these behind the minimum severity.
  using Severity = opentelemetry::logs::Severity;
  using EventId = opentelemetry::logs::EventId;
  bool EnabledImplementation(Severity, const EventId&) const noexcept override { return true; }
  bool EnabledImplementation(Severity, std::int64_t) const noexcept override { return true; }
#if OPENTELEMETRY_ABI_VERSION_NO >= 2 && ARCA_API_AT_LEAST(28)
  bool EnabledImplementation(const SpanOrContext&, Severity) const noexcept override { return true; }
  bool EnabledImplementation(const SpanOrContext&, Severity, const EventId&) const noexcept override { return true; }
#elif OPENTELEMETRY_ABI_VERSION_NO >= 2 && ARCA_API_AT_LEAST(27)
  using Context = opentelemetry::context::Context;
  bool EnabledImplementation(const Context&, Severity) const noexcept override { return true; }
  bool EnabledImplementation(const Context&, Severity, const EventId&) const noexcept override { return true; }
#endif

  Core& core_;
  const std::string name_;
  ScopeContext scope_;
};

// Thread-safe.
class LoggerProvider final : public opentelemetry::logs::LoggerProvider {
 public:
  explicit LoggerProvider(Core& core) : core_(core), loggers_(ScopeTable<Logger>::make()) {}

  using opentelemetry::logs::LoggerProvider::GetLogger;
  opentelemetry::nostd::shared_ptr<opentelemetry::logs::Logger> GetLogger(
      opentelemetry::nostd::string_view logger_name, opentelemetry::nostd::string_view library_name,
      opentelemetry::nostd::string_view library_version, opentelemetry::nostd::string_view schema_url,
      const opentelemetry::common::KeyValueIterable& attributes) override;

 private:
  Core& core_;
  ScopeTable<Logger>& loggers_;  // log records refer to their logger: it stays, as the core does
};

}  // namespace arca::telemetry
