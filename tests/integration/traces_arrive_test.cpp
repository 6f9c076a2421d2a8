// Spans as the real Collector wrote them, over gRPC and HTTP, plain and gzip: every field that the API can set.
#include "integration/telemetry_fixture.hpp"
#include "opentelemetry/trace/scope.h"

namespace arca::integration {
namespace {

namespace trace_api = opentelemetry::trace;
namespace nostd = opentelemetry::nostd;
using trace_api::SpanContext;

class TracesArrive : public EveryWay {
 protected:
  void SetUp() override { start_collector(); }

  Json only_span(const std::string& name) {
    const auto found = output_->spans_named(name);
    EXPECT_EQ(found.size(), 1U) << name;
    return found.empty() ? Json::object() : found.front()->json;
  }

  static SpanContext remote(const std::string& trace_state) {
    constexpr std::uint8_t trace_id[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    constexpr std::uint8_t span_id[8] = {8, 7, 6, 5, 4, 3, 2, 1};
    return {trace_api::TraceId(trace_id), trace_api::SpanId(span_id), trace_api::TraceFlags(1), true,
            trace_api::TraceState::FromHeader(trace_state)};
  }
};

TEST_P(TracesArrive, WithEveryAttributeType) {
  start(config(GetParam()));
  const auto span = tracer()->StartSpan("types");
  span->SetAttribute("bool", true);
  span->SetAttribute("int", std::int32_t{-7});
  span->SetAttribute("uint", std::uint32_t{4'000'000'000U});
  span->SetAttribute("int64", std::int64_t{INT64_MIN});
  span->SetAttribute("uint64", std::uint64_t{77});
  span->SetAttribute("large", UINT64_MAX);
  span->SetAttribute("double", 0.5);
  span->SetAttribute("text",
                     "Gr\xC3\xBC\xC3\x9F"
                     "e \xF0\x9F\x90\x91");
  span->SetAttribute("empty", "");
  span->SetAttribute("ill-formed", "\xF0\x28");
  const bool bools[] = {true, false};
  span->SetAttribute("bools", nostd::span<const bool>(bools));
  const std::int32_t ints[] = {1, -2};
  span->SetAttribute("ints", nostd::span<const std::int32_t>(ints));
  const std::uint32_t uints[] = {3, 4'000'000'000U};
  span->SetAttribute("uints", nostd::span<const std::uint32_t>(uints));
  const std::int64_t int64s[] = {INT64_MAX, 0};
  span->SetAttribute("int64s", nostd::span<const std::int64_t>(int64s));
  const std::uint64_t uint64s[] = {5};
  span->SetAttribute("uint64s", nostd::span<const std::uint64_t>(uint64s));
  const double doubles[] = {1.5, -0.25};
  span->SetAttribute("doubles", nostd::span<const double>(doubles));
  const nostd::string_view texts[] = {"a", "", "c"};
  span->SetAttribute("texts", nostd::span<const nostd::string_view>(texts));
  const std::uint8_t bytes[] = {0, 1, 255};
  span->SetAttribute("bytes", nostd::span<const std::uint8_t>(bytes));
  span->End();
  expect_delivered();

  const std::map<std::string, Json> expected{
      {"bool", bool_value(true)},
      {"int", int_value(-7)},
      {"uint", int_value(4'000'000'000)},
      {"int64", int_value(INT64_MIN)},
      {"uint64", int_value(77)},
      {"large", text_value("18446744073709551615")},
      {"double", double_value(0.5)},
      {"text", text_value("Gr\xC3\xBC\xC3\x9F"
                          "e \xF0\x9F\x90\x91")},
      {"empty", text_value("")},
      {"ill-formed", {{"bytesValue", "8Cg="}}},
      {"bools", array_value({bool_value(true), bool_value(false)})},
      {"ints", array_value({int_value(1), int_value(-2)})},
      {"uints", array_value({int_value(3), int_value(4'000'000'000)})},
      {"int64s", array_value({int_value(INT64_MAX), int_value(0)})},
      {"uint64s", array_value({int_value(5)})},
      {"doubles", array_value({double_value(1.5), double_value(-0.25)})},
      {"texts", array_value({text_value("a"), text_value(""), text_value("c")})},
      {"bytes", {{"bytesValue", "AAH/"}}},
  };
  EXPECT_EQ(attributes_of(only_span("types")), expected);
}

TEST_P(TracesArrive, WithTimesKindsIdsAndStatus) {
  start(config(GetParam()));
  using trace_api::SpanKind;
  const std::map<SpanKind, int> kinds{{SpanKind::kInternal, 1},
                                      {SpanKind::kServer, 2},
                                      {SpanKind::kClient, 3},
                                      {SpanKind::kProducer, 4},
                                      {SpanKind::kConsumer, 5}};
  std::map<std::string, SpanContext> contexts;
  for (const auto& [kind, number] : kinds) {
    trace_api::StartSpanOptions options;
    options.kind = kind;
    options.start_system_time =
        opentelemetry::common::SystemTimestamp(std::chrono::nanoseconds(1'000'000'000'000 + number));
    options.start_steady_time = opentelemetry::common::SteadyTimestamp(std::chrono::nanoseconds(5'000));
    const std::string name = "kind" + std::to_string(number);
    const auto span = tracer()->StartSpan(name, options);
    contexts.emplace(name, span->GetContext());
    if (number == 2) span->SetStatus(trace_api::StatusCode::kOk, "not for ok");
    if (number == 3) span->SetStatus(trace_api::StatusCode::kError, "broken");
    if (number == 4) {
      span->SetStatus(trace_api::StatusCode::kOk);
      span->SetStatus(trace_api::StatusCode::kError, "ok is final");
    }
    span->UpdateName(name);
    trace_api::EndSpanOptions end;
    end.end_steady_time = opentelemetry::common::SteadyTimestamp(std::chrono::nanoseconds(7'500));
    span->End(end);
  }
  expect_delivered();
  for (const auto& [kind, number] : kinds) {
    const std::string name = "kind" + std::to_string(number);
    const Json span = only_span(name);
    EXPECT_EQ(span.value("kind", 0), number);
    EXPECT_EQ(span.value("traceId", ""), hex(contexts.at(name).trace_id()));
    EXPECT_EQ(span.value("spanId", ""), hex(contexts.at(name).span_id()));
    EXPECT_EQ(span.value("parentSpanId", ""), "");
    EXPECT_EQ(nanos_of(span, "startTimeUnixNano"), 1'000'000'000'000U + static_cast<unsigned>(number));
    EXPECT_EQ(nanos_of(span, "endTimeUnixNano"), 1'000'000'002'500U + static_cast<unsigned>(number));
    EXPECT_EQ(span.value("flags", 0U) & 0x301U, 0x101U) << "sampled; the parent is known not to be remote";
  }
  EXPECT_EQ(only_span("kind1").value("status", Json::object()), Json::object());
  EXPECT_EQ(only_span("kind2").at("status"), (Json{{"code", 1}}));
  EXPECT_EQ(only_span("kind3").at("status"), (Json{{"code", 2}, {"message", "broken"}}));
  EXPECT_EQ(only_span("kind4").at("status"), (Json{{"code", 1}}));
}

TEST_P(TracesArrive, WithEventsLinksAndTraceState) {
  start(config(GetParam()));
  const SpanContext parent = remote("vendor=value,other=x");
  trace_api::StartSpanOptions options;
  options.parent = parent;
  const std::vector<std::pair<nostd::string_view, opentelemetry::common::AttributeValue>> of_span{{"a", 1}};
  const std::vector<std::pair<nostd::string_view, opentelemetry::common::AttributeValue>> of_link{{"b", "two"}};
  const std::vector<std::pair<SpanContext, decltype(of_link)>> links{{remote("link=state"), of_link}};
  const auto span = tracer()->StartSpan("rich", of_span, links, options);
  span->AddEvent("bare");
  span->AddEvent("timed", opentelemetry::common::SystemTimestamp(std::chrono::nanoseconds(42)),
                 {{"c", 2.5}, {"d", false}});
  span->End();
  expect_delivered();
  const Json got = only_span("rich");
  EXPECT_EQ(got.value("traceId", ""), hex(parent.trace_id()));
  EXPECT_EQ(got.value("parentSpanId", ""), hex(parent.span_id()));
  EXPECT_EQ(got.value("traceState", ""), "vendor=value,other=x");
  EXPECT_EQ(got.value("flags", 0U), 0x301U) << "sampled; the parent is known to be remote";
  EXPECT_EQ(attributes_of(got).at("a"), int_value(1));
  ASSERT_EQ(got.at("events").size(), 2U);
  EXPECT_EQ(got.at("events")[0].value("name", ""), "bare");
  EXPECT_GE(nanos_of(got.at("events")[0], "timeUnixNano"), nanos_of(got, "startTimeUnixNano"));
  EXPECT_LE(nanos_of(got.at("events")[0], "timeUnixNano"), nanos_of(got, "endTimeUnixNano"));
  EXPECT_EQ(nanos_of(got.at("events")[1], "timeUnixNano"), 42U);
  EXPECT_EQ(attributes_of(got.at("events")[1]),
            (std::map<std::string, Json>{{"c", double_value(2.5)}, {"d", bool_value(false)}}));
  ASSERT_EQ(got.at("links").size(), 1U);
  const Json link = got.at("links")[0];
  EXPECT_EQ(link.value("traceId", ""), hex(parent.trace_id()));
  EXPECT_EQ(link.value("spanId", ""), hex(parent.span_id()));
  EXPECT_EQ(link.value("traceState", ""), "link=state");
  EXPECT_EQ(attributes_of(link).at("b"), text_value("two"));
}

TEST_P(TracesArrive, WithinLimitsAndWithExactDroppedCounts) {
  Config limited = config(GetParam());
  limited.limits.span_attribute_count = 3;
  limited.limits.span_attribute_value_length = 4;
  limited.limits.span_event_count = 2;
  limited.limits.span_link_count = 1;
  limited.limits.event_attribute_count = 1;
  limited.limits.link_attribute_count = 1;
  start(limited);
  using Attributes = std::vector<std::pair<nostd::string_view, opentelemetry::common::AttributeValue>>;
  const Attributes two{{"a", 1}, {"b", 2}};
  const std::vector<std::pair<SpanContext, Attributes>> links{{remote(""), two}, {remote(""), {}}, {remote(""), {}}};
  const auto span = tracer()->StartSpan("limited", Attributes{}, links);
  for (int i = 0; i < 8; ++i) span->SetAttribute("key" + std::to_string(i), "abcdefgh");
  span->SetAttribute("key1", "last");
  for (int i = 0; i < 6; ++i) span->AddEvent("event", two);
  span->End();
  expect_delivered();
  const Json got = only_span("limited");
  const auto attributes = attributes_of(got);
  ASSERT_EQ(attributes.size(), 3U);
  EXPECT_EQ(attributes.at("key0"), text_value("abcd"));
  EXPECT_EQ(attributes.at("key1"), text_value("last"));
  EXPECT_EQ(got.value("droppedAttributesCount", 0), 5);
  ASSERT_EQ(got.at("events").size(), 2U);
  EXPECT_EQ(got.at("events")[1].value("droppedAttributesCount", 0), 1);
  EXPECT_EQ(got.value("droppedEventsCount", 0), 4);
  ASSERT_EQ(got.at("links").size(), 1U);
  EXPECT_EQ(got.at("links")[0].value("droppedAttributesCount", 0), 1);
  EXPECT_EQ(got.value("droppedLinksCount", 0), 2);
}

TEST_P(TracesArrive, NestedUnderTheirParentsWithResourceAndScope) {
  Config with = config(GetParam());
  with.resource_attributes = KeyValues{{"deployment.environment", "test"}, {"team", "a b"}};
  start(with);
  {
    const auto outer = tracer()->StartSpan("outer");
    const trace_api::Scope outer_scope(outer);
    const auto middle = tracer()->StartSpan("middle");
    const trace_api::Scope middle_scope(middle);
    const auto other = telemetry_->tracer_provider()->GetTracer("other");
    other->StartSpan("inner")->End();
    other->StartSpan("sibling")->End();
    middle->End();
    outer->End();
  }
  expect_delivered();
  const Json outer = only_span("outer");
  EXPECT_EQ(outer.value("parentSpanId", ""), "");
  EXPECT_EQ(only_span("middle").value("parentSpanId", ""), outer.value("spanId", "?"));
  EXPECT_EQ(only_span("inner").value("parentSpanId", ""), only_span("middle").value("spanId", "?"));
  EXPECT_EQ(only_span("sibling").value("parentSpanId", ""), only_span("middle").value("spanId", "?"));
  ASSERT_EQ(output_->spans().size(), 4U);
  for (const auto& span : output_->spans()) {
    EXPECT_EQ(span.text("traceId"), outer.value("traceId", "?"));
    const bool by_other = span.text("name") == "inner" || span.text("name") == "sibling";
    EXPECT_EQ(span.scope->value("name", ""), by_other ? "other" : "scope");
    EXPECT_EQ(span.scope->value("version", ""), by_other ? "" : "1.2");
    const auto resource = attributes_of(*span.resource);
    EXPECT_EQ(resource.at("service.name"), text_value("judged"));
    EXPECT_EQ(resource.at("deployment.environment"), text_value("test"));
    EXPECT_EQ(resource.at("team"), text_value("a b"));
    EXPECT_EQ(resource.at("telemetry.sdk.name"), text_value("opentelemetry"));
    EXPECT_EQ(resource.at("telemetry.sdk.language"), text_value("cpp"));
    EXPECT_EQ(resource.at("process.pid"), int_value(::getpid()));
    EXPECT_TRUE(resource.contains("host.name"));
  }
}

TEST_P(TracesArrive, ByThousandsFromManyThreadsEachOnce) {
  start(config(GetParam()));
  std::vector<std::set<std::string>> ids(4);
  std::vector<std::thread> threads;
  for (auto& mine : ids) {
    threads.emplace_back([&] {
      const auto tracer = this->tracer();
      for (int i = 0; i < 2500; ++i) {
        const auto span = tracer->StartSpan("many");
        mine.insert(hex(span->GetContext().span_id()));
        span->End();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (auto& mine : ids) accepted_.merge(mine);
  expect_delivered();
  expect_all_spans_written();
  expect_no_duplicates();
  EXPECT_EQ(telemetry_->status().traces.delivered, 10'000U);
}

INSTANTIATE_TEST_SUITE_P(Ways, TracesArrive, testing::Values(grpc, grpc_gzip, http, http_gzip), name_of_way);

}  // namespace
}  // namespace arca::integration
