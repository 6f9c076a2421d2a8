// A random log record made through the API: the same seed makes the same calls on any logger. Used by the laws of
// logger and log record processor.
#pragma once

#include <opentelemetry/logs/logger.h>
#include <opentelemetry/proto/logs/v1/logs.pb.h>
#include <opentelemetry/trace/default_span.h>
#include <opentelemetry/trace/scope.h>

#include <optional>

#include "conformance/differences.hpp"

namespace arca::conformance {

namespace logs_api = opentelemetry::logs;
namespace trace_api = opentelemetry::trace;
using ProtoLog = pb::logs::v1::LogRecord;

// What our message must say where the stock recordable's does not.
struct LogAccount {
  std::string event_name;
  std::string body_key;  // says what kind of value the body is
};

class LogCalls {
 public:
  explicit LogCalls(std::uint64_t seed) : values_(seed) {}

  // Emits the record, whose time is `number`.
  LogAccount emit(logs_api::Logger& logger, std::uint64_t number) {
    std::unique_ptr<trace_api::Scope> scope;
    if (random_.chance(2)) scope = enter_span();
    auto record = logger.CreateLogRecord();
    record->SetTimestamp(common::SystemTimestamp(nanoseconds(number)));
    record->SetObservedTimestamp(common::SystemTimestamp(nanoseconds(1)));
    for (std::uint64_t i = random_.below(15); i > 0; --i) call(*record);
    logger.EmitLogRecord(std::move(record));
    return account_;
  }

 private:
  using nanoseconds = std::chrono::nanoseconds;

  std::unique_ptr<trace_api::Scope> enter_span() {
    const auto trace_id = random_.id<16>();
    const auto span_id = random_.id<8>();
    const trace_api::SpanContext current(trace_api::TraceId(trace_id), trace_api::SpanId(span_id),
                                         trace_api::TraceFlags(static_cast<std::uint8_t>(random_.below(256))), false);
    return std::make_unique<trace_api::Scope>(
        opentelemetry::nostd::shared_ptr<trace_api::Span>(new trace_api::DefaultSpan(current)));
  }

  void call(logs_api::LogRecord& record) {
    switch (random_.below(10)) {
      case 0:
        record.SetObservedTimestamp(common::SystemTimestamp(nanoseconds(1 + (random_.word() >> 2U))));
        break;
      case 1:
        record.SetSeverity(static_cast<logs_api::Severity>(random_.below(25)));
        break;
      case 2:
      case 3:
        set_body(record);
        break;
      case 4:
        account_.event_name = values_.name();
        record.SetEventId(static_cast<std::int64_t>(random_.word()), account_.event_name);
        break;
      case 5: {
        const auto trace_id = random_.id<16>();
        const auto span_id = random_.id<8>();
        record.SetTraceId(trace_api::TraceId(trace_id));
        record.SetSpanId(trace_api::SpanId(span_id));
        record.SetTraceFlags(trace_api::TraceFlags(static_cast<std::uint8_t>(random_.below(256))));
        break;
      }
      default: {
        const std::string& key = values_.key();
        record.SetAttribute(key, values_.value(key));
      }
    }
  }

  // The stock recordable puts the elements of an array behind those of an array that was the body before. A text in
  // between makes it forget them, and changes nothing for ours.
  void set_body(logs_api::LogRecord& record) {
    account_.body_key = values_.key();
    record.SetBody(opentelemetry::nostd::string_view("forget"));
    record.SetBody(values_.value(account_.body_key));
  }

  ApiValues values_;
  RandomValues& random_ = values_.random;
  LogAccount account_;
};

// What the stock recordable's record must be from us.
inline ProtoLog as_ours(ProtoLog record, const LogAccount& account) {
  record.set_event_name(repaired(account.event_name));  // the stock one leaves it out
  as_ours(*record.mutable_attributes());
  if (record.has_body()) as_ours(account.body_key, *record.mutable_body());
  return record;
}

inline ProtoLog sorted_ours(ProtoLog record) {
  sort_ours(*record.mutable_attributes());
  return record;
}

}  // namespace arca::conformance
