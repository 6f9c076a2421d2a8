// Our Logger beside the stock SDK's with its OtlpLogRecordable: the same random calls become equal messages, but for
// the differences in differences.hpp and log_calls.hpp.
#include <opentelemetry/sdk/logs/logger_provider.h>

#include "conformance/conformance_fixture.hpp"
#include "conformance/log_calls.hpp"
#include "conformance/stock.hpp"

namespace arca::conformance {
namespace {

using LoggerConformance = ConformanceFixture;

opentelemetry::nostd::shared_ptr<logs_api::Logger> logger_of(logs_api::LoggerProvider& provider, std::uint64_t seed) {
  const bool even = seed % 2 == 0;
  return provider.GetLogger("logger", even ? "library" : "", "1", "http://schema",
                            {{"scope.kind", even ? "even" : "odd"}, {"scope.number", 7}});
}

TEST_F(LoggerConformance, RandomCallsBecomeTheSameMessageAsWithTheStockSdk) {
  KeepingLogProcessor::Request stock_request;
  sdk::logs::LoggerProvider stock(std::make_unique<KeepingLogProcessor>(stock_request));
  const auto ours = telemetry_->logger_provider();
  std::vector<std::string> expected;
  for_each_sequence(5000, [&](std::uint64_t seed) {
    const std::uint64_t number = seed - first_seed() + 1;
    const LogAccount account = LogCalls(seed).emit(*logger_of(*ours, seed), number);
    LogCalls(seed).emit(*logger_of(stock, seed), number);
    const auto& of_stock = stock_request.resource_logs(0).scope_logs(0);
    expected.push_back(scope_text(of_stock) + as_ours(of_stock.log_records(0), account).DebugString());
  });
  flush();
  std::size_t count = 0;
  for (const auto& resource : collector_.resource_logs()) {
    for (const auto& scope : resource.scope_logs()) {
      for (const ProtoLog& record : scope.log_records()) {
        const std::size_t index = record.time_unix_nano() - 1;
        ASSERT_EQ(scope_text(scope) + sorted_ours(record).DebugString(), expected.at(index))
            << how_to_repeat(first_seed() + index);
        ++count;
      }
    }
  }
  EXPECT_EQ(count, expected.size());
}

// The stock SDK of this version says that nothing is enabled: who asks first, as the API advises, would log nothing.
TEST_F(LoggerConformance, EverySeverityAndEventIsEnabled) {
  const auto logger = telemetry_->logger_provider()->GetLogger("logger");
  for (int number = 0; number <= 24; ++number) {
    const auto severity = static_cast<logs_api::Severity>(number);
    EXPECT_TRUE(logger->Enabled(severity));
    EXPECT_TRUE(logger->Enabled(severity, 7));
    EXPECT_TRUE(logger->Enabled(severity, logs_api::EventId(7, "event")));
  }
}

// The stock recordable makes it INVALID, and leaves the observed time out when it is set to 0.
TEST_F(LoggerConformance, AnUnknownSeverityIsIgnoredAndARecordWasAlwaysObserved) {
  const auto logger = telemetry_->logger_provider()->GetLogger("logger");
  auto record = logger->CreateLogRecord();
  record->SetSeverity(logs_api::Severity::kInfo);
  record->SetSeverity(static_cast<logs_api::Severity>(200));
  record->SetObservedTimestamp(common::SystemTimestamp(std::chrono::nanoseconds(0)));
  logger->EmitLogRecord(std::move(record));
  flush();
  const auto ours = collector_.logs();
  ASSERT_EQ(ours.size(), 1U);
  EXPECT_EQ(ours[0].severity_number(), 9);
  EXPECT_EQ(ours[0].severity_text(), "INFO");
  EXPECT_NE(ours[0].observed_time_unix_nano(), 0U);
}

}  // namespace
}  // namespace arca::conformance
