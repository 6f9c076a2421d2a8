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

}  // namespace
}  // namespace arca::conformance
