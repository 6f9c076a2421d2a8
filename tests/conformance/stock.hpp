// The stock SDK's side: processors that make an export request of the last span or log record, as the stock exporters
// do it, and an id generator that repeats given ids. Used by the tests that set our providers or plug-ins beside the
// stock SDK's.
#pragma once

#include <opentelemetry/exporters/otlp/otlp_log_recordable.h>
#include <opentelemetry/exporters/otlp/otlp_recordable.h>
#include <opentelemetry/exporters/otlp/otlp_recordable_utils.h>
#include <opentelemetry/proto/collector/logs/v1/logs_service.pb.h>
#include <opentelemetry/proto/collector/trace/v1/trace_service.pb.h>
#include <opentelemetry/sdk/logs/processor.h>
#include <opentelemetry/sdk/trace/id_generator.h>
#include <opentelemetry/sdk/trace/processor.h>

namespace arca::conformance {

namespace sdk = opentelemetry::sdk;
namespace stock_otlp = opentelemetry::exporter::otlp;

template <class Request, class Recordable>
void populate(Request& request, std::unique_ptr<Recordable>&& record) {
  request.Clear();
  std::unique_ptr<Recordable> records[] = {std::move(record)};
  stock_otlp::OtlpRecordableUtils::PopulateRequest(records, &request);
}

class KeepingSpanProcessor final : public sdk::trace::SpanProcessor {
 public:
  using Request = opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
  explicit KeepingSpanProcessor(Request& last) : last_(last) {}
  std::unique_ptr<sdk::trace::Recordable> MakeRecordable() noexcept override {
    return std::make_unique<stock_otlp::OtlpRecordable>();
  }
  void OnStart(sdk::trace::Recordable&, const opentelemetry::trace::SpanContext&) noexcept override {}
  void OnEnd(std::unique_ptr<sdk::trace::Recordable>&& span) noexcept override { populate(last_, std::move(span)); }
  bool ForceFlush(std::chrono::microseconds) noexcept override { return true; }
  bool Shutdown(std::chrono::microseconds) noexcept override { return true; }

 private:
  Request& last_;
};

class KeepingLogProcessor final : public sdk::logs::LogRecordProcessor {
 public:
  using Request = opentelemetry::proto::collector::logs::v1::ExportLogsServiceRequest;
  explicit KeepingLogProcessor(Request& last) : last_(last) {}
  std::unique_ptr<sdk::logs::Recordable> MakeRecordable() noexcept override {
    return std::make_unique<stock_otlp::OtlpLogRecordable>();
  }
  void OnEmit(std::unique_ptr<sdk::logs::Recordable>&& record) noexcept override { populate(last_, std::move(record)); }
  bool ForceFlush(std::chrono::microseconds) noexcept override { return true; }
  bool Shutdown(std::chrono::microseconds) noexcept override { return true; }

 private:
  Request& last_;
};

// Gives the ids that our span got.
class GivenIds final : public sdk::trace::IdGenerator {
 public:
  GivenIds() : IdGenerator(true) {}
  opentelemetry::trace::SpanId GenerateSpanId() noexcept override { return span_id; }
  opentelemetry::trace::TraceId GenerateTraceId() noexcept override { return trace_id; }
  opentelemetry::trace::SpanId span_id;
  opentelemetry::trace::TraceId trace_id;
};

}  // namespace arca::conformance
