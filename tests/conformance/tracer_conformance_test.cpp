// Our Tracer and Span beside the stock SDK's with its OtlpRecordable: the same random calls, with the same ids and
// times, become equal messages, but for the differences in differences.hpp and span_calls.hpp.
#include <opentelemetry/sdk/resource/resource.h>
#include <opentelemetry/sdk/trace/samplers/always_on.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>

#include <map>

#include "conformance/conformance_fixture.hpp"
#include "conformance/span_calls.hpp"
#include "conformance/stock.hpp"

namespace arca::conformance {
namespace {

using TracerConformance = ConformanceFixture;

TEST_F(TracerConformance, RandomCallsBecomeTheSameMessageAsWithTheStockSdk) {
  KeepingSpanProcessor::Request stock_request;
  auto ids = std::make_unique<GivenIds>();
  GivenIds& given = *ids;
  sdk::trace::TracerProvider stock(std::make_unique<KeepingSpanProcessor>(stock_request),
                                   sdk::resource::Resource::Create({}), std::make_unique<sdk::trace::AlwaysOnSampler>(),
                                   std::move(ids));
  std::map<std::string, std::pair<std::uint64_t, std::string>> expected;  // by span id: seed and message
  for_each_sequence(5000, [&](std::uint64_t seed) {
    const auto* scope = seed % 2 == 0 ? "even" : "odd";
    const auto ours = telemetry_->tracer_provider()->GetTracer(scope, "1", "http://schema");
    const SpanAccount account = SpanCalls(seed).make(*ours, [&](const trace_api::SpanContext& got) {
      given.trace_id = got.trace_id();
      given.span_id = got.span_id();
    });
    EXPECT_EQ(account.flags & 0xFFU, 1U | account.random_flag);
    SpanCalls(seed).make(*stock.GetTracer(scope, "1", "http://schema"), [](const auto&) {});
    const auto& of_stock = stock_request.resource_spans(0).scope_spans(0);
    const ProtoSpan span = as_ours(of_stock.spans(0), account);
    expected[span.span_id()] = {seed, scope_text(of_stock) + span.DebugString()};
  });
  flush();
  std::size_t count = 0;
  for (const auto& resource : collector_.traces()) {
    for (const auto& scope : resource.scope_spans()) {
      for (const ProtoSpan& span : scope.spans()) {
        const auto& [seed, message] = expected.at(span.span_id());
        ASSERT_EQ(scope_text(scope) + sorted_ours(span).DebugString(), message) << how_to_repeat(seed);
        ++count;
      }
    }
  }
  EXPECT_EQ(count, expected.size());
}

}  // namespace
}  // namespace arca::conformance
