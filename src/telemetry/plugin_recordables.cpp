#include "telemetry/plugin_recordables.hpp"

#include <algorithm>

#include "opentelemetry/logs/severity.h"
#include "os/fork.hpp"
#include "os/log.hpp"
#include "telemetry/api_values.hpp"
#include "telemetry/span.hpp"

namespace arca::telemetry {

namespace nostd = opentelemetry::nostd;
namespace common = opentelemetry::common;
namespace trace_api = opentelemetry::trace;
namespace sdk = opentelemetry::sdk;

namespace {

// Contexts allocate, the SDK's setters must not throw: without memory the record goes under the unnamed scope.
template <class Work>
void guarded(Work work) noexcept {
  try {
    work();
  } catch (const std::exception& error) {
    os::log(os::LogLevel::error, "resource or scope of a record is left out: {}", error.what());
  }
}

}  // namespace

SpanRecordable::SpanRecordable(Core* core, PluginContexts& contexts) noexcept
    : core_(core), contexts_(contexts), scope_(&contexts.unnamed()), generation_(os::fork_generation()) {
  ThreadCache* cache = core == nullptr ? nullptr : ThreadCache::mine();
  if (cache != nullptr) writer_ = cache->take_span_writer();
  if (core != nullptr) limits_ = core->span_limits;
}

SpanRecordable::~SpanRecordable() {
  ThreadCache* cache = writer_ == nullptr ? nullptr : ThreadCache::mine();
  if (cache != nullptr) cache->give(std::move(writer_));
}

void SpanRecordable::SetIdentity(const trace_api::SpanContext& context, trace_api::SpanId parent_span_id) noexcept {
  if (writer_ == nullptr || begun_) return;
  begun_ = true;
  flags_ = context.trace_flags().flags();
  const auto& state = context.trace_state();
  const std::string header = state && !state->Empty() ? state->ToHeader() : std::string();
  otlp::SpanStart start{.trace_id = to_trace_id(context.trace_id()),
                        .span_id = to_span_id(context.span_id()),
                        .trace_state = header,
                        .flags = otlp::span_flags(flags_, false),
                        .name = name_};
  if (parent_span_id.IsValid()) start.parent_span_id = to_span_id(parent_span_id);
  writer_->begin(start, limits_);
}

void SpanRecordable::SetAttribute(nostd::string_view key, const common::AttributeValue& value) noexcept {
  if (begun_) writer_->set_attribute(to_std(key), to_value(value));
}

void SpanRecordable::AddEvent(nostd::string_view name, common::SystemTimestamp timestamp,
                              const common::KeyValueIterable& attributes) noexcept {
  if (!begun_ || !writer_->begin_event(to_std(name), to_wall_time(timestamp))) return;
  attributes.ForEachKeyValue([this](nostd::string_view key, const common::AttributeValue& value) noexcept {
    writer_->set_event_attribute(to_std(key), to_value(value));
    return true;
  });
  writer_->end_event();
}

void SpanRecordable::AddLink(const trace_api::SpanContext& context,
                             const common::KeyValueIterable& attributes) noexcept {
  if (begun_) add_link(*writer_, context, attributes);
}

void SpanRecordable::SetStatus(trace_api::StatusCode code, nostd::string_view description) noexcept {
  if (begun_) writer_->set_status(static_cast<otlp::SpanStatus>(code), to_std(description));
}

void SpanRecordable::SetName(nostd::string_view name) noexcept {
  if (begun_) {
    writer_->set_name(to_std(name));
  } else {
    guarded([&] { name_.assign(name.data(), name.size()); });
  }
}

void SpanRecordable::SetTraceFlags(trace_api::TraceFlags flags) noexcept { flags_ = flags.flags(); }

void SpanRecordable::SetSpanKind(trace_api::SpanKind kind) noexcept {
  if (begun_) writer_->set_kind(static_cast<otlp::SpanKind>(static_cast<int>(kind) + 1));
}

void SpanRecordable::SetResource(const sdk::resource::Resource& resource) noexcept {
  guarded([&] { contexts_.set_resource(resource); });
}

void SpanRecordable::SetStartTime(common::SystemTimestamp start_time) noexcept {
  start_nanos_ = otlp::unix_nanos(to_wall_time(start_time));
  if (begun_) writer_->set_start_time(to_wall_time(start_time));
}

void SpanRecordable::SetDuration(std::chrono::nanoseconds duration) noexcept {
  duration_nanos_ = duration.count() > 0 ? static_cast<std::uint64_t>(duration.count()) : 0;
}

void SpanRecordable::SetInstrumentationScope(const sdk::instrumentationscope::InstrumentationScope& scope) noexcept {
  guarded([&] { scope_ = &contexts_.context_of(scope); });
}

#if ARCA_API_AT_LEAST(28)
void SpanRecordable::SetSpanLimits(const sdk::trace::SpanLimits& limits) noexcept {
  const auto lower = [](std::size_t& ours, std::size_t theirs) { ours = std::min(ours, theirs); };
  lower(limits_.attributes.count_max, limits.attribute_count_limit);
  lower(limits_.attributes.value_length_max, limits.attribute_value_length_limit);
  lower(limits_.event_count_max, limits.event_count_limit);
  lower(limits_.link_count_max, limits.link_count_limit);
  lower(limits_.event_attribute_count_max, limits.event_attribute_count_limit);
  lower(limits_.link_attribute_count_max, limits.link_attribute_count_limit);
}
#endif

void SpanRecordable::set_parent(const trace_api::SpanContext& parent) noexcept {
  if (begun_) writer_->set_flags(otlp::span_flags(flags_, parent.IsRemote()));
}

bool SpanRecordable::record() noexcept {
  if (generation_ != os::fork_generation()) return true;
  if (!begun_) return core_ == nullptr;  // telemetry is disabled: it takes everything
  return core_->recorder.record(model::Signal::traces, *scope_,
                                writer_->end(to_wall_time(start_nanos_ + duration_nanos_)), 1);
}

LogRecordable::LogRecordable(Core* core, PluginContexts& contexts) noexcept
    : core_(core), contexts_(contexts), scope_(&contexts.unnamed()) {
  ThreadCache* cache = core == nullptr ? nullptr : ThreadCache::mine();
  if (cache != nullptr) writer_ = cache->take_log_writer();
  if (writer_ != nullptr) writer_->begin(core_->log_limits);
}

LogRecordable::~LogRecordable() {
  ThreadCache* cache = writer_ == nullptr ? nullptr : ThreadCache::mine();
  if (cache != nullptr) cache->give(std::move(writer_));
}

void LogRecordable::SetTimestamp(common::SystemTimestamp timestamp) noexcept {
  if (writer_ != nullptr) writer_->set_time(to_wall_time(timestamp));
}
void LogRecordable::SetObservedTimestamp(common::SystemTimestamp timestamp) noexcept {
  if (writer_ != nullptr) writer_->set_observed_time(to_wall_time(timestamp));
}

void LogRecordable::SetSeverity(opentelemetry::logs::Severity severity) noexcept {
  const auto number = static_cast<std::uint8_t>(severity);
  if (writer_ == nullptr || number > 24) return;  // not a severity that OTLP knows
  writer_->set_severity(number);
  writer_->set_severity_text(to_std(opentelemetry::logs::SeverityNumToText[number]));
}

void LogRecordable::SetBody(const common::AttributeValue& message) noexcept {
  if (writer_ != nullptr) writer_->set_body(to_value(message));
}
void LogRecordable::SetAttribute(nostd::string_view key, const common::AttributeValue& value) noexcept {
  if (writer_ != nullptr) writer_->set_attribute(to_std(key), to_value(value));
}
void LogRecordable::SetEventId(std::int64_t, nostd::string_view name) noexcept {
  if (writer_ != nullptr) writer_->set_event_name(to_std(name));
}
void LogRecordable::SetTraceId(const trace_api::TraceId& trace_id) noexcept {
  if (writer_ != nullptr) writer_->set_trace_id(to_trace_id(trace_id));
}
void LogRecordable::SetSpanId(const trace_api::SpanId& span_id) noexcept {
  if (writer_ != nullptr) writer_->set_span_id(to_span_id(span_id));
}
void LogRecordable::SetTraceFlags(const trace_api::TraceFlags& trace_flags) noexcept {
  if (writer_ != nullptr) writer_->set_trace_flags(trace_flags.flags());
}
void LogRecordable::SetResource(const sdk::resource::Resource& resource) noexcept {
  guarded([&] { contexts_.set_resource(resource); });
}
void LogRecordable::SetInstrumentationScope(const sdk::instrumentationscope::InstrumentationScope& scope) noexcept {
  guarded([&] { scope_ = &contexts_.context_of(scope); });
}

#if ARCA_API_AT_LEAST(28)
void LogRecordable::SetLogRecordLimits(const sdk::logs::LogRecordLimits& limits) noexcept {
  if (writer_ == nullptr) return;
  writer_->begin(
      {.count_max = std::min(core_->log_limits.count_max, limits.attribute_count_limit),
       .value_length_max = std::min(core_->log_limits.value_length_max, limits.attribute_value_length_limit)});
}
#endif

void LogRecordable::record() noexcept {
  if (writer_ == nullptr) return;
  core_->recorder.record(model::Signal::logs, *scope_, writer_->end(), 1);
}

}  // namespace arca::telemetry
