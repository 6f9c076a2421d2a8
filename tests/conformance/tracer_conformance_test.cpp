// Our Tracer and Span beside the stock SDK's with its OtlpRecordable: the same random calls, with the same ids and
// times, become equal messages. The differences that are meant stand in api_values.hpp.
#include <opentelemetry/exporters/otlp/otlp_recordable.h>
#include <opentelemetry/sdk/trace/id_generator.h>
#include <opentelemetry/sdk/trace/processor.h>
#include <opentelemetry/sdk/trace/samplers/always_on.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/trace/tracer.h>

#include <map>

#include "conformance/api_values.hpp"
#include "conformance/conformance_fixture.hpp"

namespace arca::conformance {
namespace {

namespace trace_api = opentelemetry::trace;
namespace sdk = opentelemetry::sdk;
namespace nostd = opentelemetry::nostd;
using opentelemetry::exporter::otlp::OtlpRecordable;
using ProtoSpan = pb::trace::v1::Span;
using std::chrono::nanoseconds;

// Gives the ids that our span got.
class GivenIds final : public sdk::trace::IdGenerator {
 public:
  GivenIds() : IdGenerator(true) {}
  trace_api::SpanId GenerateSpanId() noexcept override { return span_id; }
  trace_api::TraceId GenerateTraceId() noexcept override { return trace_id; }
  trace_api::SpanId span_id;
  trace_api::TraceId trace_id;
};

class KeepingProcessor final : public sdk::trace::SpanProcessor {
 public:
  explicit KeepingProcessor(ProtoSpan& last) : last_(last) {}
  std::unique_ptr<sdk::trace::Recordable> MakeRecordable() noexcept override {
    return std::make_unique<OtlpRecordable>();
  }
  void OnStart(sdk::trace::Recordable&, const trace_api::SpanContext&) noexcept override {}
  void OnEnd(std::unique_ptr<sdk::trace::Recordable>&& span) noexcept override {
    last_ = static_cast<OtlpRecordable&>(*span).span();
  }
  bool ForceFlush(std::chrono::microseconds) noexcept override { return true; }
  bool Shutdown(std::chrono::microseconds) noexcept override { return true; }

 private:
  ProtoSpan& last_;
};

trace_api::SpanContext random_context(RandomValues& random) {
  const auto trace_id = random.id<16>();
  const auto span_id = random.id<8>();
  constexpr const char* states[] = {"", "vendor=value", "a=1,b=2"};
  return {trace_api::TraceId(trace_id), trace_api::SpanId(span_id),
          trace_api::TraceFlags(static_cast<std::uint8_t>(random.below(2))), random.chance(2),
          trace_api::TraceState::FromHeader(states[random.below(3)])};
}

// The calls that the specification gives a meaning: the stock span would take them all.
class SpecifiedStatus {
 public:
  explicit SpecifiedStatus(bool filters) : filters_(filters) {}
  void set(trace_api::Span& span, trace_api::StatusCode code, const std::string& description) {
    if (!filters_) return span.SetStatus(code, description);
    if (is_ok_ || code == trace_api::StatusCode::kUnset) return;
    is_ok_ = code == trace_api::StatusCode::kOk;
    span.SetStatus(code, is_ok_ ? std::string() : description);
  }

 private:
  const bool filters_;
  bool is_ok_ = false;
};

void call(trace_api::Span& span, ApiValues& values, SpecifiedStatus& status) {
  auto& random = values.random;
  switch (random.below(9)) {
    case 0:
      span.UpdateName(values.name());
      break;
    case 1: {
      const opentelemetry::common::SystemTimestamp time(nanoseconds(random.word() >> 1U));
      const std::string& name = values.name();
      if (random.chance(2)) {
        span.AddEvent(name, time);
      } else {
        span.AddEvent(name, time, values.attributes(8));
      }
      break;
    }
    case 2: {
      const auto code = static_cast<trace_api::StatusCode>(random.below(3));
      status.set(span, code, values.name());
      break;
    }
    default: {
      const std::string& key = values.key();
      span.SetAttribute(key, values.value());
    }
  }
}

// Makes the span that `seed` says; the ids that it got are told to `meet` before anything else happens.
template <class Meet>
void make_span(trace_api::Tracer& tracer, std::uint64_t seed, bool is_stock, Meet meet) {
  ApiValues values(seed);
  auto& random = values.random;
  trace_api::StartSpanOptions options;
  options.kind = static_cast<trace_api::SpanKind>(random.below(5));
  const auto steady = nanoseconds(1 + (random.word() >> 2U));
  options.start_system_time = opentelemetry::common::SystemTimestamp(nanoseconds(1 + (random.word() >> 2U)));
  options.start_steady_time = opentelemetry::common::SteadyTimestamp(steady);
  if (random.chance(2)) options.parent = random_context(random);
  std::vector<std::pair<trace_api::SpanContext, ApiValues::Attributes>> links;
  for (std::uint64_t i = random.below(4); i > 0; --i) {
    const auto target = random_context(random);
    links.emplace_back(target, values.attributes(6));
  }
  const std::string& name = values.name();
  const auto attributes = values.attributes(10);
  const auto span = tracer.StartSpan(name, attributes, links, options);
  meet(span->GetContext());
  SpecifiedStatus status(is_stock);
  for (std::uint64_t i = random.below(25); i > 0; --i) call(*span, values, status);
  trace_api::EndSpanOptions end;
  end.end_steady_time = opentelemetry::common::SteadyTimestamp(steady + nanoseconds(random.word() >> 3U));
  span->End(end);
  for (std::uint64_t i = random.below(3); i > 0; --i) call(*span, values, status);  // too late for both
  span->End();
}

std::string in_common_form(ProtoSpan span) {
  span.set_flags(span.flags() & 1U);
  to_common_form(*span.mutable_attributes());
  for (auto& event : *span.mutable_events()) to_common_form(*event.mutable_attributes());
  for (auto& link : *span.mutable_links()) {
    link.clear_flags();
    to_common_form(*link.mutable_attributes());
  }
  if (span.status().code() != pb::trace::v1::Status::STATUS_CODE_ERROR) span.mutable_status()->clear_message();
  if (span.status().SerializeAsString().empty()) span.clear_status();
  return span.DebugString();
}

using TracerConformance = ConformanceFixture;

TEST_F(TracerConformance, RandomCallsBecomeTheSameMessageAsWithTheStockSdk) {
  ProtoSpan stock_span;
  auto ids = std::make_unique<GivenIds>();
  GivenIds& given = *ids;
  sdk::trace::TracerProvider stock(std::make_unique<KeepingProcessor>(stock_span), sdk::resource::Resource::Create({}),
                                   std::make_unique<sdk::trace::AlwaysOnSampler>(), std::move(ids));
  const auto stock_tracer = stock.GetTracer("scope", "1");
  const auto our_tracer = telemetry_->tracer_provider()->GetTracer("scope", "1");
  const std::uint64_t first_seed = std::random_device{}();
  std::map<std::string, std::pair<std::uint64_t, std::string>> expected;  // by span id: seed and message
  constexpr std::size_t count = 5000;
  for (std::uint64_t seed = first_seed; seed < first_seed + count; ++seed) {
    make_span(*our_tracer, seed, false, [&](const trace_api::SpanContext& got) {
      given.trace_id = got.trace_id();
      given.span_id = got.span_id();
    });
    make_span(*stock_tracer, seed, true, [](const auto&) {});
    expected[stock_span.span_id()] = {seed, in_common_form(stock_span)};
  }
  flush();
  const auto ours = collector_.spans();
  ASSERT_EQ(ours.size(), count);
  for (const ProtoSpan& span : ours) {
    const auto& [seed, message] = expected.at(span.span_id());
    EXPECT_TRUE(has_unique_keys(span.attributes()));
    ASSERT_EQ(in_common_form(span), message) << "seed " << seed;
  }
}

}  // namespace
}  // namespace arca::conformance
