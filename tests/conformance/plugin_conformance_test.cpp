// The plug-ins inside the stock SDK: one provider, two processors, ours and one with the stock recordable. Whatever the
// SDK sets on both becomes equal messages under equal resources and scopes, but for the differences in
// differences.hpp, span_calls.hpp and log_calls.hpp.
#include <opentelemetry/sdk/logs/logger_provider.h>
#include <opentelemetry/sdk/resource/resource.h>
#include <opentelemetry/sdk/trace/samplers/always_on.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>

#include <map>

#include "arca/plugins.hpp"
#include "conformance/conformance_fixture.hpp"
#include "conformance/log_calls.hpp"
#include "conformance/span_calls.hpp"
#include "conformance/stock.hpp"
#include "telemetry/api_version.hpp"

#if ARCA_API_AT_LEAST(28)
#include <opentelemetry/sdk/logs/log_record_limits.h>
#include <opentelemetry/sdk/trace/span_limits.h>
#endif

namespace arca::conformance {
namespace {

using PluginConformance = ConformanceFixture;

// With attributes of every kind.
sdk::resource::Resource random_resource() {
  ApiValues values(first_seed());
  sdk::resource::ResourceAttributes attributes;
  for (const auto& [key, value] : values.attributes(40)) attributes.SetAttribute(key, value);
  return sdk::resource::Resource::Create(attributes, "http://resource");
}

template <class ResourceRecords>
std::string resource_text(const ResourceRecords& of, const pb::resource::v1::Resource& resource) {
  return resource.DebugString() + of.schema_url() + '\n';
}
template <class ResourceRecords>
std::string stock_resource_text(const ResourceRecords& of) {
  auto resource = of.resource();
  as_ours(*resource.mutable_attributes());
  return resource_text(of, resource);
}
template <class ResourceRecords>
std::string our_resource_text(const ResourceRecords& of) {
  auto resource = of.resource();
  sort_ours(*resource.mutable_attributes());
  return resource_text(of, resource);
}

TEST_F(PluginConformance, SpansOfTheStockSdkBecomeTheSameMessagesAsWithItsRecordable) {
  KeepingSpanProcessor::Request stock_request;
  std::vector<std::unique_ptr<sdk::trace::SpanProcessor>> processors;
  processors.push_back(std::make_unique<KeepingSpanProcessor>(stock_request));
  processors.push_back(make_span_processor(*telemetry_));
  sdk::trace::TracerProvider provider(std::move(processors), random_resource());
  std::map<std::string, std::pair<std::uint64_t, std::string>> expected;  // by span id: seed and message
  for_each_sequence(5000, [&](std::uint64_t seed) {
    const auto tracer = provider.GetTracer(seed % 2 == 0 ? "even" : "odd", "1", "http://schema");
    const SpanAccount account = SpanCalls(seed).make(*tracer, [](const auto&) {});
    const auto& resource = stock_request.resource_spans(0);
    const auto& scope = resource.scope_spans(0);
    const ProtoSpan span = as_ours(scope.spans(0), account);
    expected[span.span_id()] = {seed, stock_resource_text(resource) + scope_text(scope) + span.DebugString()};
  });
  flush();
  std::size_t count = 0;
  for (const auto& resource : collector_.traces()) {
    const std::string head = our_resource_text(resource);
    for (const auto& scope : resource.scope_spans()) {
      for (const ProtoSpan& span : scope.spans()) {
        const auto& [seed, message] = expected.at(span.span_id());
        ASSERT_EQ(head + scope_text(scope) + sorted_ours(span).DebugString(), message) << how_to_repeat(seed);
        ++count;
      }
    }
  }
  EXPECT_EQ(count, expected.size());
}

TEST_F(PluginConformance, LogRecordsOfTheStockSdkBecomeTheSameMessagesAsWithItsRecordable) {
  KeepingLogProcessor::Request stock_request;
  std::vector<std::unique_ptr<sdk::logs::LogRecordProcessor>> processors;
  processors.push_back(std::make_unique<KeepingLogProcessor>(stock_request));
  processors.push_back(make_log_record_processor(*telemetry_));
  sdk::logs::LoggerProvider provider(std::move(processors), random_resource());
  std::vector<std::string> expected;
  for_each_sequence(5000, [&](std::uint64_t seed) {
    const auto logger = provider.GetLogger("logger", seed % 2 == 0 ? "even" : "odd", "1", "http://schema",
                                           {{"scope.number", static_cast<std::int64_t>(seed % 3)}});
    const LogAccount account = LogCalls(seed).emit(*logger, seed - first_seed() + 1);
    const auto& resource = stock_request.resource_logs(0);
    const auto& scope = resource.scope_logs(0);
    expected.push_back(stock_resource_text(resource) + scope_text(scope) +
                       as_ours(scope.log_records(0), account).DebugString());
  });
  flush();
  std::size_t count = 0;
  for (const auto& resource : collector_.resource_logs()) {
    const std::string head = our_resource_text(resource);
    for (const auto& scope : resource.scope_logs()) {
      for (const ProtoLog& record : scope.log_records()) {
        const std::size_t index = record.time_unix_nano() - 1;
        ASSERT_EQ(head + scope_text(scope) + sorted_ours(record).DebugString(), expected.at(index))
            << how_to_repeat(first_seed() + index);
        ++count;
      }
    }
  }
  EXPECT_EQ(count, expected.size());
}

#if ARCA_API_AT_LEAST(28)
// Since 1.28 a provider of the stock SDK has limits, and leaves them to the recordables.
TEST_F(PluginConformance, LimitsOfTheProviderHold) {
  const auto spans = make_span_processor(*telemetry_);
  auto span = spans->MakeRecordable();
  sdk::trace::SpanLimits span_limits;
  span_limits.attribute_count_limit = 1;
  span_limits.attribute_value_length_limit = 2;
  span_limits.event_count_limit = 0;
  span->SetSpanLimits(span_limits);
  const trace_api::SpanContext context(true, false);
  span->SetIdentity(context, {});
  span->SetAttribute("a", "long");
  span->SetAttribute("b", "long");
  span->AddEvent("event");
  spans->OnEnd(std::move(span));

  const auto logs = make_log_record_processor(*telemetry_);
  ASSERT_TRUE(logs->RecordableEnforcesLogRecordLimits());
  auto record = logs->MakeRecordable();
  sdk::logs::LogRecordLimits log_limits;
  log_limits.attribute_count_limit = 1;
  log_limits.attribute_value_length_limit = 2;
  record->SetLogRecordLimits(log_limits);
  record->SetAttribute("a", "long");
  record->SetAttribute("b", "long");
  logs->OnEmit(std::move(record));

  flush();
  const auto span_got = collector_.spans().at(0);
  ASSERT_EQ(span_got.attributes_size(), 1);
  EXPECT_EQ(span_got.attributes(0).value().string_value(), "lo");
  EXPECT_EQ(span_got.dropped_attributes_count(), 1U);
  EXPECT_EQ(span_got.dropped_events_count(), 1U);
  const auto log_got = collector_.logs().at(0);
  ASSERT_EQ(log_got.attributes_size(), 1);
  EXPECT_EQ(log_got.attributes(0).value().string_value(), "lo");
  EXPECT_EQ(log_got.dropped_attributes_count(), 1U);
}
#endif

}  // namespace
}  // namespace arca::conformance
