// Log records as the real Collector wrote them, over gRPC and HTTP, plain and gzip.
#include "integration/telemetry_fixture.hpp"
#include "opentelemetry/logs/event_id.h"
#include "opentelemetry/logs/logger.h"
#include "opentelemetry/logs/severity.h"
#include "opentelemetry/trace/scope.h"

namespace arca::integration {
namespace {

namespace logs_api = opentelemetry::logs;
namespace trace_api = opentelemetry::trace;
namespace nostd = opentelemetry::nostd;
using opentelemetry::common::AttributeValue;
using opentelemetry::common::SystemTimestamp;

class LogsArrive : public EveryWay {
 protected:
  void SetUp() override { start_collector(); }
  nostd::shared_ptr<logs_api::Logger> logger() {
    return telemetry_->logger_provider()->GetLogger("logger", "library", "3.1", "http://schema");
  }
  static SystemTimestamp at(std::int64_t nanos) { return SystemTimestamp(std::chrono::nanoseconds(nanos)); }
};

TEST_P(LogsArrive, WithEveryBodyType) {
  start(config(GetParam()));
  const bool bools[] = {true, false};
  const std::int32_t ints[] = {1, -2};
  const std::int64_t int64s[] = {INT64_MIN};
  const std::uint32_t uints[] = {9};
  const std::uint64_t uint64s[] = {10};
  const double doubles[] = {2.5};
  const nostd::string_view texts[] = {"x", "y"};
  const std::uint8_t bytes[] = {0, 1, 255};
  const std::vector<std::pair<AttributeValue, Json>> bodies{
      {true, bool_value(true)},
      {std::int32_t{-3}, int_value(-3)},
      {std::uint32_t{3}, int_value(3)},
      {std::int64_t{INT64_MAX}, int_value(INT64_MAX)},
      {std::uint64_t{4}, int_value(4)},
      {0.75, double_value(0.75)},
      {"c string", text_value("c string")},
      {nostd::string_view("view"), text_value("view")},
      {nostd::string_view("nul\0in", 6), text_value(std::string("nul\0in", 6))},
      {nostd::span<const bool>(bools), array_value({bool_value(true), bool_value(false)})},
      {nostd::span<const std::int32_t>(ints), array_value({int_value(1), int_value(-2)})},
      {nostd::span<const std::int64_t>(int64s), array_value({int_value(INT64_MIN)})},
      {nostd::span<const std::uint32_t>(uints), array_value({int_value(9)})},
      {nostd::span<const std::uint64_t>(uint64s), array_value({int_value(10)})},
      {nostd::span<const double>(doubles), array_value({double_value(2.5)})},
      {nostd::span<const nostd::string_view>(texts), array_value({text_value("x"), text_value("y")})},
      {nostd::span<const std::uint8_t>(bytes), {{"bytesValue", "AAH/"}}},
  };
  const auto logger = this->logger();
  std::int64_t number = 0;
  for (const auto& [body, expected] : bodies) {
    auto record = logger->CreateLogRecord();
    record->SetTimestamp(at(++number));
    record->SetBody(body);
    logger->EmitLogRecord(std::move(record));
  }
  expect_delivered();
  ASSERT_EQ(output_->log_records().size(), bodies.size());
  for (const auto& record : output_->log_records()) {
    const auto index = nanos_of(record.json, "timeUnixNano") - 1;
    ASSERT_LT(index, bodies.size());
    EXPECT_EQ(record.json.at("body"), bodies[index].second) << "body number " << index;
    EXPECT_EQ(record.scope->value("name", ""), "library");
    EXPECT_EQ(record.scope->value("version", ""), "3.1");
    EXPECT_EQ(attributes_of(*record.resource).at("service.name"), text_value("judged"));
  }
}

TEST_P(LogsArrive, WithSeveritiesEventNamesTimesAndAttributes) {
  start(config(GetParam()));
  const auto logger = this->logger();
  for (int severity = 1; severity <= 24; ++severity) {
    logger->EmitLogRecord(static_cast<logs_api::Severity>(severity), "severe",
                          logs_api::EventId(severity, "event" + std::to_string(severity)), at(1'000 + severity),
                          opentelemetry::common::MakeAttributes({{"number", severity}, {"text", "t"}}));
  }
  auto observed = logger->CreateLogRecord();
  observed->SetTimestamp(at(999));
  observed->SetObservedTimestamp(at(123'456));
  logger->EmitLogRecord(std::move(observed));
  expect_delivered();
  ASSERT_EQ(output_->log_records().size(), 25U);
  for (const auto& record : output_->log_records()) {
    const auto time = nanos_of(record.json, "timeUnixNano");
    if (time == 999) {
      EXPECT_EQ(nanos_of(record.json, "observedTimeUnixNano"), 123'456U);
      EXPECT_FALSE(record.json.contains("severityNumber") && record.json.at("severityNumber") != 0);
      continue;
    }
    const auto severity = static_cast<int>(time - 1'000);
    EXPECT_EQ(record.json.value("severityNumber", 0), severity);
    const auto text = logs_api::SeverityNumToText[static_cast<std::size_t>(severity)];
    EXPECT_EQ(record.text("severityText"), std::string(text.data(), text.size()));
    EXPECT_EQ(record.text("eventName"), "event" + std::to_string(severity));
    EXPECT_EQ(record.json.at("body"), text_value("severe"));
    EXPECT_EQ(record.attribute("number"), int_value(severity));
    EXPECT_EQ(record.attribute("text"), text_value("t"));
    EXPECT_GT(nanos_of(record.json, "observedTimeUnixNano"), 1'600'000'000'000'000'000U);
  }
}

TEST_P(LogsArrive, CorrelatedWithTheCurrentSpanOrAGivenOne) {
  start(config(GetParam()));
  const auto span = tracer()->StartSpan("current");
  {
    const trace_api::Scope scope(span);
    logger()->Info("inside");
  }
  logger()->Info("outside");
  logger()->EmitLogRecord(logs_api::Severity::kWarn, "given", span->GetContext());
  span->End();
  expect_delivered();
  ASSERT_EQ(output_->log_records().size(), 3U);
  for (const auto& record : output_->log_records()) {
    const bool outside = record.json.at("body") == text_value("outside");
    EXPECT_EQ(record.text("traceId"), outside ? "" : hex(span->GetContext().trace_id())) << record.json;
    EXPECT_EQ(record.text("spanId"), outside ? "" : hex(span->GetContext().span_id()));
    EXPECT_EQ(record.json.value("flags", 0U) & 1U, outside ? 0U : 1U);
  }
}

TEST_P(LogsArrive, WithinLimitsAndWithExactDroppedCounts) {
  Config limited = config(GetParam());
  limited.limits.log_attribute_count = 2;
  limited.limits.log_attribute_value_length = 3;
  start(limited);
  auto record = logger()->CreateLogRecord();
  for (int i = 0; i < 6; ++i) record->SetAttribute("key" + std::to_string(i), "abcdef");
  record->SetBody("the body is not cut");
  logger()->EmitLogRecord(std::move(record));
  expect_delivered();
  ASSERT_EQ(output_->log_records().size(), 1U);
  const Json got = output_->log_records().front().json;
  EXPECT_EQ(attributes_of(got),
            (std::map<std::string, Json>{{"key0", text_value("abc")}, {"key1", text_value("abc")}}));
  EXPECT_EQ(got.value("droppedAttributesCount", 0), 4);
  EXPECT_EQ(got.at("body"), text_value("the body is not cut"));
}

TEST_P(LogsArrive, ByThousandsEachOnce) {
  start(config(GetParam()));
  const auto logger = this->logger();
  for (int i = 0; i < 10'000; ++i) logger->Info("many", opentelemetry::common::MakeAttributes({{"number", i}}));
  expect_delivered();
  std::set<std::string> numbers;
  for (const auto& record : output_->log_records()) numbers.insert(record.attribute("number").value("intValue", ""));
  EXPECT_EQ(numbers.size(), 10'000U);
  EXPECT_EQ(output_->log_records().size(), 10'000U);
  EXPECT_EQ(telemetry_->status().logs.delivered, 10'000U);
}

INSTANTIATE_TEST_SUITE_P(Ways, LogsArrive, testing::Values(grpc, grpc_gzip, http, http_gzip), name_of_way);

}  // namespace
}  // namespace arca::integration
