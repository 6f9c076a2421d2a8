// Our Logger beside the stock SDK's with its OtlpLogRecordable: the same random calls become equal messages. The
// differences that are meant stand in api_values.hpp.
#include <opentelemetry/exporters/otlp/otlp_log_recordable.h>
#include <opentelemetry/logs/logger.h>
#include <opentelemetry/sdk/logs/logger_provider.h>
#include <opentelemetry/sdk/logs/processor.h>
#include <opentelemetry/trace/default_span.h>
#include <opentelemetry/trace/scope.h>

#include <optional>

#include "conformance/api_values.hpp"
#include "conformance/conformance_fixture.hpp"

namespace arca::conformance {
namespace {

namespace logs_api = opentelemetry::logs;
namespace trace_api = opentelemetry::trace;
namespace sdk = opentelemetry::sdk;
using opentelemetry::common::SystemTimestamp;
using opentelemetry::exporter::otlp::OtlpLogRecordable;
using ProtoLog = pb::logs::v1::LogRecord;
using std::chrono::nanoseconds;

class KeepingProcessor final : public sdk::logs::LogRecordProcessor {
 public:
  explicit KeepingProcessor(ProtoLog& last) : last_(last) {}
  std::unique_ptr<sdk::logs::Recordable> MakeRecordable() noexcept override {
    return std::make_unique<OtlpLogRecordable>();
  }
  void OnEmit(std::unique_ptr<sdk::logs::Recordable>&& record) noexcept override {
    last_ = static_cast<OtlpLogRecordable&>(*record).log_record();
  }
  bool ForceFlush(std::chrono::microseconds) noexcept override { return true; }
  bool Shutdown(std::chrono::microseconds) noexcept override { return true; }

 private:
  ProtoLog& last_;
};

struct Last {
  std::string event_name;
  std::optional<opentelemetry::common::AttributeValue> body;
};

// The stock recordable adds the elements of a second array body to those of the first: it gets the last body only.
void call(logs_api::LogRecord& record, ApiValues& values, bool is_stock, Last& last) {
  auto& random = values.random;
  switch (random.below(10)) {
    case 0:
      record.SetObservedTimestamp(SystemTimestamp(nanoseconds(1 + (random.word() >> 2U))));
      break;
    case 1:
      record.SetSeverity(static_cast<logs_api::Severity>(1 + random.below(24)));
      break;
    case 2:
    case 3:
      last.body = values.value();
      if (!is_stock) record.SetBody(*last.body);
      break;
    case 4:
      last.event_name = values.name();
      record.SetEventId(static_cast<std::int64_t>(random.word()), last.event_name);
      break;
    case 5: {
      const auto trace_id = random.id<16>();
      const auto span_id = random.id<8>();
      record.SetTraceId(trace_api::TraceId(trace_id));
      record.SetSpanId(trace_api::SpanId(span_id));
      record.SetTraceFlags(trace_api::TraceFlags(static_cast<std::uint8_t>(random.below(2))));
      break;
    }
    default: {
      const std::string& key = values.key();
      record.SetAttribute(key, values.value());
    }
  }
}

// Emits the record that `seed` says; its time is `number`. Returns the event name that it was given last.
std::string emit(logs_api::Logger& logger, std::uint64_t seed, std::uint64_t number, bool is_stock) {
  ApiValues values(seed);
  auto& random = values.random;
  std::unique_ptr<trace_api::Scope> scope;
  const auto trace_id = random.id<16>();
  const auto span_id = random.id<8>();
  if (random.chance(2)) {
    const trace_api::SpanContext current(trace_api::TraceId(trace_id), trace_api::SpanId(span_id),
                                         trace_api::TraceFlags(static_cast<std::uint8_t>(random.below(2))), false);
    scope = std::make_unique<trace_api::Scope>(
        opentelemetry::nostd::shared_ptr<trace_api::Span>(new trace_api::DefaultSpan(current)));
  }
  auto record = logger.CreateLogRecord();
  record->SetTimestamp(SystemTimestamp(nanoseconds(number)));
  record->SetObservedTimestamp(SystemTimestamp(nanoseconds(1)));
  Last last;
  for (std::uint64_t i = random.below(15); i > 0; --i) call(*record, values, is_stock, last);
  if (is_stock && last.body) record->SetBody(*last.body);
  logger.EmitLogRecord(std::move(record));
  return last.event_name;
}

std::string in_common_form(ProtoLog record) {
  record.clear_event_name();
  to_common_form(*record.mutable_attributes());
  if (record.has_body()) to_common_form(*record.mutable_body());
  return record.DebugString();
}

using LoggerConformance = ConformanceFixture;

TEST_F(LoggerConformance, RandomCallsBecomeTheSameMessageAsWithTheStockSdk) {
  ProtoLog stock_record;
  sdk::logs::LoggerProvider stock(std::make_unique<KeepingProcessor>(stock_record));
  const auto stock_logger = stock.GetLogger("logger", "library", "1");
  const auto our_logger = telemetry_->logger_provider()->GetLogger("logger", "library", "1");
  const std::uint64_t first_seed = std::random_device{}();
  constexpr std::uint64_t count = 5000;
  std::vector<std::string> expected;
  std::vector<std::string> event_names;
  for (std::uint64_t i = 0; i < count; ++i) {
    event_names.push_back(emit(*our_logger, first_seed + i, i + 1, false));
    emit(*stock_logger, first_seed + i, i + 1, true);
    expected.push_back(in_common_form(stock_record));
  }
  flush();
  const auto ours = collector_.logs();
  ASSERT_EQ(ours.size(), count);
  for (const ProtoLog& record : ours) {
    const std::size_t index = record.time_unix_nano() - 1;
    ASSERT_LT(index, count);
    EXPECT_TRUE(has_unique_keys(record.attributes()));
    EXPECT_EQ(record.event_name(), event_names[index]);
    ASSERT_EQ(in_common_form(record), expected[index]) << "seed " << first_seed + index;
  }
}

}  // namespace
}  // namespace arca::conformance
