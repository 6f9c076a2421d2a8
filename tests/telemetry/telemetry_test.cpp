// The whole floor against an HTTP receiver: what is recorded through the API arrives, or is kept and arrives later.
#include "arca/telemetry.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "fake_collector.hpp"
#include "opentelemetry/logs/provider.h"
#include "opentelemetry/metrics/provider.h"
#include "opentelemetry/trace/provider.h"
#include "support/fork_quiet.hpp"
#include "support/temporary_directory.hpp"

namespace arca::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

class TelemetryTest : public ::testing::Test {
 protected:
  Config config(const std::string& url) const {
    Config config;
    config.service_name = "test";
    config.state_directory = directory_.path();
    config.pool_directory = directory_.path();
    config.pool_size = 8U << 20U;
    config.otlp.protocol = "http/protobuf";
    config.otlp.endpoint = url;
    config.schedule_delay = milliseconds(20);
    config.self_metrics = false;
    config.recovery.scan_interval = milliseconds(50);
    return config;
  }
  std::unique_ptr<Telemetry> start(const Config& with) {
    auto started = Telemetry::start(with);
    EXPECT_TRUE(started) << started.error().message();
    return started ? std::move(*started) : nullptr;
  }
  static void record_spans(int count) {
    auto tracer = opentelemetry::trace::Provider::GetTracerProvider()->GetTracer("scope", "1");
    for (int i = 0; i < count; ++i) tracer->StartSpan("span", {{"number", i}})->End();
  }
  static std::string nobody() { return "http://127.0.0.1:9"; }

  support::TemporaryDirectory directory_;
};

TEST_F(TelemetryTest, ASpanArrivesWithItsResourceAndScope) {
  FakeCollector collector;
  auto telemetry = start(config(collector.url()));
  record_spans(3);
  const FlushReport report = telemetry->force_flush(seconds(20));
  EXPECT_EQ(report.outcome, FlushOutcome::delivered);
  ASSERT_EQ(collector.spans().size(), 3U);
  const auto resource = collector.traces().front();
  EXPECT_EQ(resource.scope_spans(0).scope().name(), "scope");
  bool named = false;
  for (const auto& attribute : resource.resource().attributes()) {
    named = named || (attribute.key() == "service.name" && attribute.value().string_value() == "test");
  }
  EXPECT_TRUE(named);
  const Status status = telemetry->status();
  EXPECT_TRUE(status.holds());
  EXPECT_EQ(status.traces.accepted, 3U);
  EXPECT_EQ(status.traces.delivered, 3U);
}

TEST_F(TelemetryTest, LogRecordsCarryTheCurrentSpan) {
  FakeCollector collector;
  auto telemetry = start(config(collector.url()));
  auto span = opentelemetry::trace::Provider::GetTracerProvider()->GetTracer("scope")->StartSpan("outer");
  {
    const opentelemetry::trace::Scope scope(span);
    opentelemetry::logs::Provider::GetLoggerProvider()->GetLogger("log")->Info("hello");
  }
  span->End();
  EXPECT_EQ(telemetry->force_flush(seconds(20)).outcome, FlushOutcome::delivered);
  ASSERT_EQ(collector.logs().size(), 1U);
  ASSERT_EQ(collector.spans().size(), 1U);
  const auto log = collector.logs().front();
  EXPECT_EQ(log.body().string_value(), "hello");
  EXPECT_EQ(log.severity_text(), "INFO");
  EXPECT_EQ(log.span_id(), collector.spans().front().span_id());
  EXPECT_NE(log.observed_time_unix_nano(), 0U);
}

TEST_F(TelemetryTest, MetricsArriveAtForceFlush) {
  FakeCollector collector;
  auto telemetry = start(config(collector.url()));
  auto meter = opentelemetry::metrics::Provider::GetMeterProvider()->GetMeter("meter");
  meter->CreateUInt64Counter("greetings")->Add(2);
  meter->CreateDoubleHistogram("length")->Record(1.5, opentelemetry::context::Context());
  EXPECT_EQ(telemetry->force_flush(seconds(20)).outcome, FlushOutcome::delivered);
  // The stock reader may have collected by itself just before: then each has come twice.
  std::set<std::string> names;
  for (const auto& metric : collector.metrics()) names.insert(metric.name());
  EXPECT_EQ(names, (std::set<std::string>{"greetings", "length"}));
  EXPECT_TRUE(telemetry->status().holds());
  EXPECT_GE(telemetry->status().metrics.delivered, 2U);
}

TEST_F(TelemetryTest, WithoutCollectorFlushSaysHowMuchIsKept) {
  auto telemetry = start(config(nobody()));
  record_spans(5);
  const FlushReport report = telemetry->force_flush(milliseconds(200));
  EXPECT_EQ(report.outcome, FlushOutcome::kept);
  EXPECT_EQ(report.kept_item_count, 5U);
  EXPECT_TRUE(telemetry->status().holds());
}

TEST_F(TelemetryTest, ShutdownKeepsToItsDeadlineAndTheNextStartDelivers) {
  auto telemetry = start(config(nobody()));
  record_spans(50);
  const auto begin = Clock::now();
  const FlushReport report = telemetry->shutdown(seconds(1));
  EXPECT_LE(Clock::now() - begin, milliseconds(1100));
  EXPECT_EQ(report.outcome, FlushOutcome::kept);
  EXPECT_EQ(report.kept_item_count, 50U);
  telemetry.reset();

  FakeCollector collector;
  auto next = start(config(collector.url()));
  EXPECT_TRUE(collector.wait_until([&] { return collector.spans().size() == 50; }));
}

TEST_F(TelemetryTest, AfterAShutdownThatKeptSomethingWhoeverAsksIsToldTheSame) {
  auto telemetry = start(config(nobody()));
  record_spans(50);
  ASSERT_EQ(telemetry->shutdown(seconds(1)).outcome, FlushOutcome::kept);
  for (const FlushReport& later : {telemetry->force_flush(seconds(1)), telemetry->shutdown(seconds(1))}) {
    EXPECT_EQ(later.outcome, FlushOutcome::kept);
    EXPECT_EQ(later.kept_item_count, 50U);
  }
  const SignalStatus traces = telemetry->status().traces;
  EXPECT_EQ(traces.in_journal, 50U);  // where the end has brought them
  EXPECT_EQ(traces.in_memory, 0U);
  EXPECT_TRUE(traces.holds());
}

TEST_F(TelemetryTest, AfterShutdownTheGlobalProvidersDoNothingAndOldOnesAreHarmless) {
  FakeCollector collector;
  auto telemetry = start(config(collector.url()));
  auto tracer = opentelemetry::trace::Provider::GetTracerProvider()->GetTracer("scope");
  auto open = tracer->StartSpan("open");
  telemetry->shutdown(seconds(5));
  telemetry.reset();
  open->SetAttribute("late", true);
  open->End();
  tracer->StartSpan("after")->End();
  EXPECT_FALSE(opentelemetry::trace::Provider::GetTracerProvider()->GetTracer("x")->StartSpan("y")->IsRecording());
  EXPECT_EQ(collector.spans().size(), 0U);
}

TEST_F(TelemetryTest, DisabledTelemetryInstallsNothing) {
  Config off = config(nobody());
  off.disabled = true;
  auto telemetry = start(off);
  record_spans(1);
  EXPECT_EQ(telemetry->status().traces.accepted, 0U);
  EXPECT_EQ(telemetry->force_flush(seconds(1)).outcome, FlushOutcome::delivered);
}

#if !defined(ARCA_SANITIZE_THREAD)  // its runtime cannot start threads in the child of a process that has threads
// Attributes that take their time: whoever reads them holds the span.
class SlowAttributes final : public opentelemetry::common::KeyValueIterable {
 public:
  bool ForEachKeyValue(
      opentelemetry::nostd::function_ref<bool(opentelemetry::nostd::string_view,
                                              opentelemetry::common::AttributeValue)>) const noexcept override {
    is_read.store(true);
    may_end.wait(false);  // asleep: a fork under AddressSanitizer waits until all threads are
    return true;
  }
  size_t size() const noexcept override { return 1; }
  mutable std::atomic<bool> is_read{false};
  std::atomic<bool> may_end{false};
};

TEST_F(TelemetryTest, AForkedChildTouchesASpanThatAnotherThreadHeldAndDoesNotWaitForIt) {
  FakeCollector collector;
  auto telemetry = start(config(collector.url()));
  auto tracer = opentelemetry::trace::Provider::GetTracerProvider()->GetTracer("scope");
  for (const bool is_owner : {false, true}) {
    auto span = tracer->StartSpan("here");
    SlowAttributes slow;
    std::atomic<bool> is_made{is_owner ? false : true};
    std::thread other([&] {
      if (is_owner) {
        span = tracer->StartSpan("there");
        is_made.store(true);
      }
      span->AddEvent("slow", slow);
    });
    while (!is_made.load() || !slow.is_read.load()) std::this_thread::yield();
    EXPECT_TRUE(support::rest_before_fork());
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      span->SetAttribute("key", 1);
      span->UpdateName("other");
      const bool is_recording = span->IsRecording();
      span->End();
      span = tracer->StartSpan("child");  // and destroys the other
      _exit(is_recording ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "the span is its holder's own: " << is_owner;
    slow.may_end.store(true);
    slow.may_end.notify_all();
    other.join();
    span->End();
  }
}

TEST_F(TelemetryTest, AForkedChildRecordsItsOwnSpansAndNotItsParents) {
  FakeCollector collector;
  auto telemetry = start(config(collector.url()));
  auto tracer = opentelemetry::trace::Provider::GetTracerProvider()->GetTracer("scope");
  auto inherited = tracer->StartSpan("inherited");
  EXPECT_TRUE(support::rest_before_fork());
  const pid_t child = fork();
  if (child == 0) {
    inherited->End();
    tracer->StartSpan("child")->End();
    const bool delivered = telemetry->force_flush(seconds(20)).outcome == FlushOutcome::delivered;
    telemetry->shutdown(seconds(5));
    _exit(delivered ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  inherited->End();
  tracer->StartSpan("parent")->End();
  EXPECT_EQ(telemetry->force_flush(seconds(20)).outcome, FlushOutcome::delivered);
  std::multiset<std::string> names;
  for (const auto& span : collector.spans()) names.insert(span.name());
  EXPECT_EQ(names, (std::multiset<std::string>{"child", "inherited", "parent"}));
  EXPECT_TRUE(telemetry->status().holds());
}
#endif

TEST_F(TelemetryTest, ARecordLargerThanAChunkArrives) {
  FakeCollector collector;
  auto telemetry = start(config(collector.url()));
  const std::string large(2U << 20U, 'x');
  auto tracer = opentelemetry::trace::Provider::GetTracerProvider()->GetTracer("scope");
  tracer->StartSpan("large", {{"text", large}})->End();
  EXPECT_EQ(telemetry->force_flush(seconds(20)).outcome, FlushOutcome::delivered);
  ASSERT_EQ(collector.spans().size(), 1U);
  EXPECT_EQ(collector.spans().front().attributes(0).value().string_value(), large);
  EXPECT_TRUE(telemetry->status().holds());
}

TEST_F(TelemetryTest, RejectedSpansAreQuarantinedAndCounted) {
  FakeCollector collector;
  collector.answer_with(400);
  auto telemetry = start(config(collector.url()));
  record_spans(4);
  telemetry->force_flush(seconds(20));
  const Status status = telemetry->status();
  EXPECT_EQ(status.traces.quarantined, 4U);
  EXPECT_EQ(status.traces.lost, 0U);
  EXPECT_TRUE(status.holds());
}

TEST_F(TelemetryTest, AStateDirectoryThatCannotBeMadeIsAClearError) {
  Config bad = config(nobody());
  bad.state_directory = "/proc/arca";
  const auto started = Telemetry::start(bad);
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message().find("state_directory"), std::string::npos) << started.error().message();
}

}  // namespace
}  // namespace arca::test
