// The front door while the real Collector fails: stopped, killed, paused, short of memory, away. What was accepted is
// all in its file in the end; what is there twice came as the same whole chunk; the law holds all the time.
#include <algorithm>
#include <atomic>
#include <thread>

#include "integration/telemetry_fixture.hpp"
#include "opentelemetry/metrics/meter.h"
#include "opentelemetry/metrics/sync_instruments.h"

namespace arca::integration {
namespace {

using Clock = std::chrono::steady_clock;

class CollectorFaults : public EveryWay {
 protected:
  void SetUp() override { start_collector(); }

  // Spans without end from a thread of its own, slowly enough to last through a fault.
  class Load {
   public:
    explicit Load(CollectorFaults& test)
        : thread_([&test](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
              test.record_spans(20);
              std::this_thread::sleep_for(milliseconds(2));  // a rate, not a synchronisation
            }
          }) {}
    void end() {
      thread_.request_stop();
      thread_.join();
    }

   private:
    std::jthread thread_;
  };

  bool wait_for_status(const std::function<bool(const Status&)>& condition) {
    return support::wait_until([&] { return condition(telemetry_->status()); });
  }
  // Under load, from the moment the Collector has taken something until so much more was accepted during the fault.
  void await_accepted(std::uint64_t more) {
    const auto goal = telemetry_->status().traces.accepted + more;
    EXPECT_TRUE(wait_for_status([&](const Status& status) { return status.traces.accepted >= goal; }));
    EXPECT_TRUE(telemetry_->status().holds());
  }
};

TEST_P(CollectorFaults, StoppedAndRestartedUnderLoadGetsEverything) {
  start(config(GetParam()));
  Load load(*this);
  for (int round = 0; round < 2; ++round) {
    await_accepted(2000);
    ASSERT_TRUE(collector_->stop().has_value());
    await_accepted(2000);
    ASSERT_TRUE(collector_->restart().has_value());
  }
  await_accepted(500);
  load.end();
  expect_delivered();
  EXPECT_GE(accepted_.size(), 8500U);
  expect_all_spans_written();
  expect_duplicates_only_as_whole_chunks();
}

TEST_P(CollectorFaults, KilledAndRestartedUnderLoadGetsEverything) {
  start(config(GetParam()));
  Load load(*this);
  for (int round = 0; round < 2; ++round) {
    await_accepted(2000);
    ASSERT_TRUE(collector_->kill().has_value());
    await_accepted(2000);
    ASSERT_TRUE(collector_->restart().has_value());
  }
  load.end();
  expect_delivered();
  expect_all_spans_written();
  expect_duplicates_only_as_whole_chunks();
}

TEST_P(CollectorFaults, PausedAndResumedGetsEverythingAndFlushTellsTheTruthMeanwhile) {
  Config with = config(GetParam());
  with.otlp.timeout = milliseconds(300);
  start(with);
  record_spans(100);
  EXPECT_EQ(telemetry_->force_flush(seconds(20)).outcome, FlushOutcome::delivered);
  collector_->pause();
  record_spans(1000);
  const auto begin = Clock::now();
  const FlushReport report = telemetry_->force_flush(milliseconds(1000));
  EXPECT_LE(Clock::now() - begin, milliseconds(1100));
  EXPECT_EQ(report.outcome, FlushOutcome::kept);
  EXPECT_EQ(report.kept_item_count, 1000U);
  expect_law();
  EXPECT_EQ(telemetry_->status().traces.delivered, 100U);
  collector_->resume();
  expect_delivered();
  expect_all_spans_written();
  expect_duplicates_only_as_whole_chunks();
}

TEST_P(CollectorFaults, ShortOfMemoryItRefusesAndGetsEverythingLater) {
  ASSERT_TRUE(collector_->restart_with_memory_limit(1).has_value());
  start(config(GetParam()));
  // Its limiter looks only now and then: a few spans may get through at first.
  EXPECT_TRUE(wait_for_status([&](const Status& status) {
    record_spans(1);
    return status.breakers[0] == Breaker::open;
  }));
  record_spans(3000);
  const FlushReport report = telemetry_->force_flush(milliseconds(500));
  EXPECT_EQ(report.outcome, FlushOutcome::kept);
  EXPECT_GE(report.kept_item_count, 3000U);
  EXPECT_LE(telemetry_->status().traces.delivered, accepted_.size() - 3000);
  EXPECT_EQ(telemetry_->status().traces.quarantined, 0U) << "a refusal for want of memory is not for good";
  expect_law();
  ASSERT_TRUE(collector_->restart_with_memory_limit(0).has_value());
  expect_delivered();
  expect_all_spans_written();
  expect_no_duplicates();
}

TEST_P(CollectorFaults, AwayAtTheStartItGetsEverythingWhenItComes) {
  ASSERT_TRUE(collector_->stop().has_value());
  start(config(GetParam()));
  record_spans(2000);
  const FlushReport report = telemetry_->force_flush(milliseconds(200));
  EXPECT_EQ(report.outcome, FlushOutcome::kept);
  EXPECT_EQ(report.kept_item_count, 2000U);
  EXPECT_NE(telemetry_->status().last_error, "");
  ASSERT_TRUE(collector_->restart().has_value());
  expect_delivered();
  expect_all_spans_written();
  expect_no_duplicates();
}

TEST_P(CollectorFaults, AwayForAWholeLifeItGetsEverythingFromTheNext) {
  ASSERT_TRUE(collector_->stop().has_value());
  start(config(GetParam()));
  record_spans(2000);
  const FlushReport report = telemetry_->shutdown(milliseconds(600));
  EXPECT_EQ(report.outcome, FlushOutcome::kept);
  EXPECT_EQ(report.kept_item_count, 2000U);
  expect_law();
  telemetry_.reset();
  ASSERT_TRUE(collector_->restart().has_value());
  start(config(GetParam()));
  EXPECT_TRUE(output_->wait_for([&] { return output_->span_ids().size() >= accepted_.size(); }));
  expect_all_spans_written();
  expect_no_duplicates();
  EXPECT_EQ(telemetry_->status().traces.accepted, 0U) << "the law counts what this process accepted";
  expect_law();
}

TEST_P(CollectorFaults, PausedItDoesNotHoldShutdownUp) {
  start(config(GetParam()));
  collector_->pause();
  record_spans(3000);
  const auto begin = Clock::now();
  const FlushReport report = telemetry_->shutdown(seconds(1));
  EXPECT_LE(Clock::now() - begin, milliseconds(1100));
  EXPECT_EQ(report.outcome, FlushOutcome::kept);
  EXPECT_EQ(report.kept_item_count, 3000U);
  telemetry_.reset();
  collector_->resume();
  start(config(GetParam()));
  EXPECT_TRUE(output_->wait_for([&] { return output_->span_ids().size() >= accepted_.size(); }));
  expect_law();
  expect_all_spans_written();
  expect_duplicates_only_as_whole_chunks();
}

// The Collector takes 4 MiB over gRPC, 20 MiB over HTTP.
TEST_P(CollectorFaults, SpansNearAndAboveItsMessageLimitArrive) {
  Config with = config(GetParam());
  with.pool_size = 64U << 20U;
  start(with);
  record_spans(30, 1U << 20U);
  record_spans(3, 3U << 20U);
  expect_delivered();
  expect_all_spans_written();
  EXPECT_EQ(telemetry_->status().traces.quarantined, 0U);
}

// Its limit is a matter of its configuration; what cannot be split any further is kept and counted, and told.
TEST_F(TelemetryFixture, ASpanThatItWillNeverTakeIsQuarantinedAndNothingElse) {
  start_collector();
  start(config(grpc));
  record_spans(10);
  const auto large = tracer()->StartSpan("too large");
  large->SetAttribute("text", std::string(5U << 20U, 'x'));
  large->End();
  record_spans(10);
  telemetry_->force_flush(seconds(30));
  output_->refresh();
  expect_all_spans_written();
  const Status status = telemetry_->status();
  EXPECT_EQ(status.traces.quarantined, 1U) << to_json(status);
  EXPECT_EQ(status.traces.delivered, 20U);
  EXPECT_TRUE(status.holds());
}

// Times of one series rise in the file, through an outage that sends part of them over the journal.
TEST_P(CollectorFaults, MetricPointsArriveInOrderThroughAnOutage) {
  Config with = config(GetParam());
  with.metric_interval = milliseconds(20);
  with.metric_timeout = milliseconds(10);
  with.otlp.timeout = milliseconds(500);
  start(with);
  const auto meter = telemetry_->meter_provider()->GetMeter("meter");
  const auto counter = meter->CreateUInt64Counter("ticks");
  std::uint64_t added = 0;
  const auto points_accepted = [&](std::uint64_t more) {
    const auto goal = telemetry_->status().metrics.accepted + more;
    EXPECT_TRUE(wait_for_status([&](const Status& status) {
      counter->Add(1);
      ++added;
      return status.metrics.accepted >= goal;
    }));
  };
  points_accepted(10);
  ASSERT_TRUE(collector_->kill().has_value());
  points_accepted(20);
  ASSERT_TRUE(collector_->restart().has_value());
  points_accepted(10);
  collector_->pause();
  points_accepted(20);
  collector_->resume();
  points_accepted(10);
  // The reader goes on collecting: those that it has made until now must be there after a flush.
  const auto accepted = telemetry_->status().metrics.accepted;
  expect_delivered();
  std::uint64_t last_time = 0;
  std::uint64_t last_value = 0;
  std::set<std::uint64_t> times;
  std::size_t out_of_order = 0;
  for (const auto& point : output_->metric_points()) {
    const auto time = nanos_of(point.json, "timeUnixNano");
    const auto value = nanos_of(point.json, "asInt");
    const bool again = !times.insert(time).second;  // a chunk that was sent twice
    if (!again && (time < last_time || value < last_value)) ++out_of_order;
    last_time = std::max(last_time, time);
    last_value = std::max(last_value, value);
  }
  EXPECT_EQ(out_of_order, 0U) << "of " << times.size();
  EXPECT_EQ(last_value, added);
  EXPECT_GE(times.size(), accepted);
  expect_law();
}

INSTANTIATE_TEST_SUITE_P(Ways, CollectorFaults, testing::Values(grpc, grpc_gzip, http, http_gzip), name_of_way);

}  // namespace
}  // namespace arca::integration
