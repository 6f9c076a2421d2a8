// The laws of spans and log records, through the API and through the plug-ins, judged by the official protobuf classes.
#include "opentelemetry/trace/provider.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "arca/plugins.hpp"
#include "fake_collector.hpp"
#include "opentelemetry/sdk/trace/processor.h"
#include "opentelemetry/sdk/trace/tracer_provider.h"
#include "support/temporary_directory.hpp"

namespace arca::test {
namespace {

namespace trace_api = opentelemetry::trace;
using ProtoSpan = proto::trace::v1::Span;
using std::chrono::seconds;

class ProviderTest : public ::testing::Test {
 protected:
  Config config() const {
    Config config;
    config.state_directory = directory_.path();
    config.pool_directory = directory_.path();
    config.pool_size = 8U << 20U;
    config.otlp.protocol = "http/protobuf";
    config.otlp.endpoint = collector_.url();
    config.self_metrics = false;
    config.install_global = false;
    return config;
  }
  void start(const Config& with) {
    auto started = Telemetry::start(with);
    ASSERT_TRUE(started) << started.error().message();
    telemetry_ = std::move(*started);
    tracer_ = telemetry_->tracer_provider()->GetTracer("scope", "1.0", "http://schema");
  }
  void SetUp() override { start(config()); }

  std::vector<ProtoSpan> flushed() {
    EXPECT_EQ(telemetry_->force_flush(seconds(20)).outcome, FlushOutcome::delivered);
    EXPECT_TRUE(telemetry_->status().holds());
    return collector_.spans();
  }
  ProtoSpan only_span() {
    const auto spans = flushed();
    EXPECT_EQ(spans.size(), 1U);
    return spans.empty() ? ProtoSpan() : spans.front();
  }

  support::TemporaryDirectory directory_;
  FakeCollector collector_;
  std::unique_ptr<Telemetry> telemetry_;
  opentelemetry::nostd::shared_ptr<trace_api::Tracer> tracer_;
};

TEST_F(ProviderTest, EndTwiceAndUpdatesAfterEndChangeNothing) {
  auto span = tracer_->StartSpan("once");
  span->End();
  EXPECT_FALSE(span->IsRecording());
  span->SetAttribute("late", 1);
  span->UpdateName("late");
  span->AddEvent("late");
  span->End();
  const ProtoSpan got = only_span();
  EXPECT_EQ(got.name(), "once");
  EXPECT_EQ(got.attributes_size(), 0);
}

TEST_F(ProviderTest, ASpanThatNobodyEndsIsEndedWithItsLastReference) {
  { auto span = tracer_->StartSpan("forgotten"); }
  EXPECT_EQ(only_span().name(), "forgotten");
}

TEST_F(ProviderTest, ASpanMayEndOnAnotherThread) {
  auto span = tracer_->StartSpan("wanderer");
  std::thread([&] {
    span->SetAttribute("elsewhere", true);
    span->End();
    span = opentelemetry::nostd::shared_ptr<trace_api::Span>();
  }).join();
  EXPECT_EQ(only_span().attributes_size(), 1);
}

TEST_F(ProviderTest, ThreadsMaySetAttributesOfOneSpanAtOnce) {
  auto span = tracer_->StartSpan("shared");
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 25; ++i) span->SetAttribute("key" + std::to_string(thread * 25 + i), i);
    });
  }
  for (auto& thread : threads) thread.join();
  span->End();
  EXPECT_EQ(only_span().attributes_size(), 100);
}

TEST_F(ProviderTest, ChildrenFollowTheCurrentSpanAnExplicitParentAndARemoteOne) {
  auto parent = tracer_->StartSpan("parent");
  {
    const trace_api::Scope scope(parent);
    tracer_->StartSpan("current")->End();
  }
  trace_api::StartSpanOptions options;
  options.parent = parent->GetContext();
  tracer_->StartSpan("explicit", {}, options)->End();
  const auto own = parent->GetContext();
  options.parent = trace_api::SpanContext(own.trace_id(), own.span_id(), own.trace_flags(), true);
  tracer_->StartSpan("remote", {}, options)->End();
  parent->End();
  std::map<std::string, ProtoSpan> spans;
  for (const auto& span : flushed()) spans[span.name()] = span;
  for (const char* name : {"current", "explicit", "remote"}) {
    EXPECT_EQ(spans[name].parent_span_id(), spans["parent"].span_id()) << name;
    EXPECT_EQ(spans[name].trace_id(), spans["parent"].trace_id()) << name;
  }
  EXPECT_EQ(spans["remote"].flags() & 0x300U, 0x300U);
  EXPECT_EQ(spans["explicit"].flags() & 0x300U, 0x100U);
  EXPECT_EQ(spans["parent"].parent_span_id(), "");
}

TEST_F(ProviderTest, GivenTimesAreKept) {
  trace_api::StartSpanOptions options;
  options.start_system_time = opentelemetry::common::SystemTimestamp(std::chrono::nanoseconds(1'000'000));
  options.start_steady_time = opentelemetry::common::SteadyTimestamp(std::chrono::nanoseconds(500));
  auto span = tracer_->StartSpan("times", {}, options);
  trace_api::EndSpanOptions end;
  end.end_steady_time = opentelemetry::common::SteadyTimestamp(std::chrono::nanoseconds(1500));
  span->End(end);
  const ProtoSpan got = only_span();
  EXPECT_EQ(got.start_time_unix_nano(), 1'000'000U);
  EXPECT_EQ(got.end_time_unix_nano(), 1'001'000U);
}

TEST_F(ProviderTest, EventsLinksStatusAndKindArrive) {
  const auto other = tracer_->StartSpan("other");
  trace_api::StartSpanOptions options;
  options.kind = trace_api::SpanKind::kClient;
  auto span = tracer_->StartSpan("all", {{"start", 1}}, {{other->GetContext(), {{"link", "yes"}}}}, options);
  span->AddEvent("event", {{"n", 1}});
  span->SetStatus(trace_api::StatusCode::kError, "broken");
  span->End();
  other->End();
  ProtoSpan got;
  for (const auto& each : flushed()) got = each.name() == "all" ? each : got;
  EXPECT_EQ(got.kind(), ProtoSpan::SPAN_KIND_CLIENT);
  ASSERT_EQ(got.events_size(), 1);
  EXPECT_GE(got.events(0).time_unix_nano(), got.start_time_unix_nano());
  EXPECT_LE(got.events(0).time_unix_nano(), got.end_time_unix_nano());
  ASSERT_EQ(got.links_size(), 1);
  EXPECT_EQ(got.links(0).attributes(0).key(), "link");
  EXPECT_EQ(got.status().message(), "broken");
}

TEST_F(ProviderTest, LimitsCountWhatTheyDrop) {
  telemetry_.reset();
  Config limited = config();
  limited.limits.span_attribute_count = 2;
  limited.limits.span_event_count = 1;
  limited.limits.span_attribute_value_length = 3;
  start(limited);
  auto span = tracer_->StartSpan("limited", {{"a", "12345"}, {"b", 1}, {"c", 1}});
  span->AddEvent("1");
  span->AddEvent("2");
  span->End();
  const ProtoSpan got = only_span();
  EXPECT_EQ(got.attributes_size(), 2);
  EXPECT_EQ(got.attributes(0).value().string_value(), "123");
  EXPECT_EQ(got.dropped_attributes_count(), 1U);
  EXPECT_EQ(got.dropped_events_count(), 1U);
}

TEST_F(ProviderTest, UnsampledSpansPropagateAndAreNotRecorded) {
  telemetry_.reset();
  Config off = config();
  off.sampler = "always_off";
  start(off);
  auto span = tracer_->StartSpan("no");
  EXPECT_FALSE(span->IsRecording());
  EXPECT_TRUE(span->GetContext().IsValid());
  EXPECT_FALSE(span->GetContext().IsSampled());
  span->End();
  EXPECT_EQ(telemetry_->status().traces.accepted, 0U);
}

TEST_F(ProviderTest, GetTracerGivesTheSameTracerForTheSameScope) {
  const auto provider = telemetry_->tracer_provider();
  EXPECT_EQ(provider->GetTracer("a", "1").get(), provider->GetTracer("a", "1").get());
  EXPECT_NE(provider->GetTracer("a", "1").get(), provider->GetTracer("a", "2").get());
}

TEST_F(ProviderTest, SpansOfManyThreadsAllArriveOnce) {
  constexpr int thread_count = 4;
  constexpr int span_count = 5000;
  std::vector<std::thread> threads;
  for (int i = 0; i < thread_count; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < span_count; ++n) tracer_->StartSpan("many", {{"n", n}})->End();
    });
  }
  for (auto& thread : threads) thread.join();
  std::set<std::string> ids;
  const auto spans = flushed();
  for (const auto& span : spans) ids.insert(span.span_id());
  EXPECT_EQ(ids.size(), static_cast<std::size_t>(thread_count * span_count));
  EXPECT_EQ(spans.size(), ids.size());
}

TEST_F(ProviderTest, TheSpanProcessorPlugInDeliversWhatTheStockSdkRecords) {
  auto resource = opentelemetry::sdk::resource::Resource::Create({{"service.name", "stock"}});
  opentelemetry::sdk::trace::TracerProvider provider(make_span_processor(*telemetry_), resource);
  auto tracer = provider.GetTracer("stock scope", "2");
  trace_api::StartSpanOptions options;
  options.kind = trace_api::SpanKind::kServer;
  auto span = tracer->StartSpan("stock", {{"a", 1}}, options);
  span->AddEvent("event");
  span->SetStatus(trace_api::StatusCode::kOk);
  span->End();
  const ProtoSpan got = only_span();
  EXPECT_EQ(got.name(), "stock");
  EXPECT_EQ(got.kind(), ProtoSpan::SPAN_KIND_SERVER);
  EXPECT_EQ(got.attributes_size(), 1);
  EXPECT_EQ(got.events_size(), 1);
  EXPECT_EQ(got.flags(), 0x101U);
  EXPECT_NE(got.start_time_unix_nano(), 0U);
  EXPECT_GE(got.end_time_unix_nano(), got.start_time_unix_nano());
  const auto told = collector_.traces().front();
  EXPECT_EQ(told.scope_spans(0).scope().name(), "stock scope");
  bool named = false;
  for (const auto& attribute : told.resource().attributes()) {
    named = named || attribute.value().string_value() == "stock";
  }
  EXPECT_TRUE(named);
}

}  // namespace
}  // namespace arca::test
