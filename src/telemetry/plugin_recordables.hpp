// The recordables of the plug-ins: what the SDK sets is encoded at once. `core` may be null (telemetry is disabled):
// then they take everything and record nothing.
#pragma once

#include <memory>
#include <string>

#include "opentelemetry/sdk/logs/recordable.h"
#include "opentelemetry/sdk/trace/recordable.h"
#include "otlp/log_writer.hpp"
#include "otlp/span_writer.hpp"
#include "telemetry/api_version.hpp"
#include "telemetry/core.hpp"
#include "telemetry/plugin_contexts.hpp"

#if ARCA_API_AT_LEAST(28)
#include "opentelemetry/sdk/logs/log_record_limits.h"
#include "opentelemetry/sdk/trace/span_limits.h"
#endif

namespace arca::telemetry {

// Not thread-safe: the SDK's span locks. Requires the SDK's order: the identity comes before attributes and links.
class SpanRecordable final : public opentelemetry::sdk::trace::Recordable {
 public:
  SpanRecordable(Core* core, PluginContexts& contexts) noexcept;
  ~SpanRecordable() override;

  void SetIdentity(const opentelemetry::trace::SpanContext& context,
                   opentelemetry::trace::SpanId parent_span_id) noexcept override;
  void SetAttribute(opentelemetry::nostd::string_view key,
                    const opentelemetry::common::AttributeValue& value) noexcept override;
  void AddEvent(opentelemetry::nostd::string_view name, opentelemetry::common::SystemTimestamp timestamp,
                const opentelemetry::common::KeyValueIterable& attributes) noexcept override;
  void AddLink(const opentelemetry::trace::SpanContext& context,
               const opentelemetry::common::KeyValueIterable& attributes) noexcept override;
  void SetStatus(opentelemetry::trace::StatusCode code,
                 opentelemetry::nostd::string_view description) noexcept override;
  void SetName(opentelemetry::nostd::string_view name) noexcept override;
  void SetTraceFlags(opentelemetry::trace::TraceFlags flags) noexcept override;
  void SetSpanKind(opentelemetry::trace::SpanKind kind) noexcept override;
  void SetResource(const opentelemetry::sdk::resource::Resource& resource) noexcept override;
  void SetStartTime(opentelemetry::common::SystemTimestamp start_time) noexcept override;
  void SetDuration(std::chrono::nanoseconds duration) noexcept override;
  void SetInstrumentationScope(
      const opentelemetry::sdk::instrumentationscope::InstrumentationScope& scope) noexcept override;
#if ARCA_API_AT_LEAST(28)
  // The SDK leaves its provider's limits to the recordable: they hold beside ours. Comes before the identity.
  void SetSpanLimits(const opentelemetry::sdk::trace::SpanLimits& limits) noexcept override;
#endif

  // From OnStart: only there is it said whether the parent is remote.
  void set_parent(const opentelemetry::trace::SpanContext& parent) noexcept;
  // From OnEnd, or from an exporter. False: it was refused, or there is nothing that could be recorded. True also in a
  // forked child for a span of the parent, who records it.
  bool record() noexcept;

 private:
  Core* const core_;
  PluginContexts& contexts_;
  ScopeContext* scope_;
  std::unique_ptr<otlp::SpanWriter> writer_;
  otlp::SpanLimits limits_;
  std::string name_;  // until the identity is known
  bool begun_ = false;
  std::uint8_t flags_ = 0;
  std::uint64_t start_nanos_ = 0;
  std::uint64_t duration_nanos_ = 0;
  const std::uint64_t generation_;
};

// Not thread-safe: of one thread.
class LogRecordable final : public opentelemetry::sdk::logs::Recordable {
 public:
  LogRecordable(Core* core, PluginContexts& contexts) noexcept;
  ~LogRecordable() override;

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
  void SetResource(const opentelemetry::sdk::resource::Resource& resource) noexcept override;
  void SetInstrumentationScope(
      const opentelemetry::sdk::instrumentationscope::InstrumentationScope& scope) noexcept override;
#if ARCA_API_AT_LEAST(28)
  // As with spans. Comes before all else; the processor asks for it.
  void SetLogRecordLimits(const opentelemetry::sdk::logs::LogRecordLimits& limits) noexcept override;
#endif

  void record() noexcept;

 private:
  Core* const core_;
  PluginContexts& contexts_;
  ScopeContext* scope_;
  std::unique_ptr<otlp::LogWriter> writer_;
};

}  // namespace arca::telemetry
