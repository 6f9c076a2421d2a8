// The tier behind the front door, with a real Cassandra node and the real Collector: what the Collector cannot take is
// parked, can be read meanwhile by an independent client, comes back, and the law holds all the time.
#include "arca/cassandra_exporter.hpp"
#include "integration/cassandra_fixture.hpp"
#include "opentelemetry/sdk/trace/simple_processor.h"
#include "opentelemetry/sdk/trace/tracer_provider.h"

namespace arca::integration {
namespace {

class CassandraTier : public CassandraFixture {};

TEST_F(CassandraTier, WhatTheCollectorCannotTakeIsParkedCanBeReadAndComesBack) {
  Config made = with_cassandra();
  made.metric_interval = milliseconds(300);
  start(made);
  const auto counter = telemetry_->meter_provider()->GetMeter("scope")->CreateUInt64Counter("parked");
  await_ready();
  record_spans(500);
  expect_delivered();
  ASSERT_TRUE(collector_->kill().has_value());
  record_spans(3000);
  record_logs(200);
  counter->Add(7);
  ASSERT_TRUE(wait_for_status([](const Status& status) {
    return status.traces.parked >= 3000 && status.logs.parked >= 200 && status.metrics.parked >= 1 &&
           status.cassandra.rows_pending == 0;
  })) << to_json(telemetry_->status());
  expect_law();
  EXPECT_GT(telemetry_->status().cassandra.parked_bytes, 0U);
  const auto seen = span_ids_in_cassandra();
  std::size_t missing = 0;
  for (const auto& id : accepted_) missing += 1 - seen.count(id);
  EXPECT_LE(missing, 500U) << "what the Collector had taken before is not there, all else is";
  EXPECT_GE(seen.size(), 3000U);

  ASSERT_TRUE(collector_->restart().has_value());
  ASSERT_TRUE(wait_for_status([](const Status& status) {
    return status.traces.parked + status.logs.parked + status.metrics.parked == 0;
  })) << to_json(telemetry_->status());
  expect_delivered(patience);
  expect_all_spans_written();
  expect_duplicates_only_as_whole_chunks();
  EXPECT_EQ(telemetry_->status().traces.delivered, accepted_.size());
}

TEST_F(CassandraTier, AnApplicationStartsWorksAndStopsInTimeWhileNoNodeAnswers) {
  Config made = with_cassandra();
  made.cassandra.contact_points = "127.0.0.1:1";
  start(made);
  record_spans(1000);
  expect_delivered();
  ASSERT_TRUE(collector_->kill().has_value());
  record_spans(1000);
  const Status status = telemetry_->status();
  EXPECT_TRUE(status.holds()) << to_json(status);
  EXPECT_FALSE(status.cassandra.connected);
  const auto begin = std::chrono::steady_clock::now();
  stop(seconds(3));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(4)) << "3 s were asked for";
  ASSERT_TRUE(collector_->restart().has_value());
  start(config(grpc));  // what is left on disk is sent by the next start
  EXPECT_TRUE(support::wait_until(
      [&] {
        output_->refresh();
        return output_->span_ids().size() >= accepted_.size();
      },
      patience));
  expect_all_spans_written();
}

TEST_F(CassandraTier, WhatWasParkedByAProcessThatIsGoneIsDeliveredByTheNext) {
  ASSERT_TRUE(collector_->kill().has_value());
  start(with_cassandra());
  await_ready();
  record_spans(2000);
  ASSERT_TRUE(wait_for_status([](const Status& status) { return status.traces.parked >= 2000; }))
      << to_json(telemetry_->status());
  telemetry_->shutdown(seconds(2));
  telemetry_.reset();
  ASSERT_TRUE(collector_->restart().has_value());
  start(with_cassandra());
  EXPECT_TRUE(support::wait_until(
      [&] {
        output_->refresh();
        return output_->span_ids().size() >= accepted_.size();
      },
      patience));
  expect_all_spans_written();
  expect_duplicates_only_as_whole_chunks();
}

TEST_F(CassandraTier, AnArchiveHasWhatTheCollectorTookToo) {
  Config made = with_cassandra();
  made.cassandra.also_store = "all";
  start(made);
  await_ready();
  record_spans(1000);
  expect_delivered(patience);
  ASSERT_TRUE(wait_for_status([](const Status& status) { return status.cassandra.rows_pending == 0; }));
  EXPECT_EQ(span_ids_in_cassandra(), accepted_);
  expect_all_spans_written();
  expect_no_duplicates();
}

// Far more than pool and journal could hold back for the archive.
TEST_F(CassandraTier, AnArchiveThatIsAwayKeepsNothingFromTheCollector) {
  Config made = with_cassandra();
  made.cassandra.contact_points = "127.0.0.1:1";
  made.cassandra.also_store = "all";
  made.pool_size = 1U << 20U;
  made.journal_size = 2U << 20U;
  start(made);
  for (int i = 0; i < 200; ++i) {
    record_spans(100, 1000);
    ASSERT_TRUE(wait_for_status([](const Status& status) { return status.pool_bytes <= status.pool_size / 4 * 3; }))
        << to_json(telemetry_->status());
  }
  EXPECT_TRUE(support::wait_until(
      [&] {
        output_->refresh();
        return output_->span_ids().size() >= accepted_.size();
      },
      patience))
      << to_json(telemetry_->status());
  expect_law();
  expect_all_spans_written();
  expect_no_duplicates();
  const Status status = telemetry_->status();
  EXPECT_GT(status.cassandra.archive_missed, 0U);
  EXPECT_EQ(status.cassandra.archive_missed, status.traces.delivered);
}

TEST_F(CassandraTier, TheExporterOfTheStockSdkPutsEverySpanIntoCassandra) {
  Config made = config(grpc);
  add_cassandra(made);
  auto exporter = make_cassandra_span_exporter(made);
  ASSERT_TRUE(exporter.has_value()) << exporter.error().message();
  CassandraSpanExporter& seen = **exporter;
  namespace sdk = opentelemetry::sdk::trace;
  auto provider =
      std::make_shared<sdk::TracerProvider>(std::make_unique<sdk::SimpleSpanProcessor>(std::move(*exporter)));
  const auto tracer = provider->GetTracer("stock");
  for (int i = 0; i < 500; ++i) {
    const auto span = tracer->StartSpan("stock");
    accepted_.insert(hex(span->GetContext().span_id()));
    span->End();
  }
  EXPECT_TRUE(seen.ForceFlush(patience)) << to_json(seen.status());
  const Status status = seen.status();
  EXPECT_TRUE(status.holds()) << to_json(status);
  EXPECT_EQ(status.traces.parked, 500U);
  EXPECT_TRUE(support::wait_until([&] { return seen.status().cassandra.rows_pending == 0; }, patience));
  EXPECT_EQ(span_ids_in_cassandra(), accepted_);
  EXPECT_TRUE(provider->Shutdown(seconds(10)));
}

TEST_F(CassandraTier, AnExporterWhoseClusterIsAwayKeepsWhatItAcceptedAndSaysSo) {
  Config made = config(grpc);
  add_cassandra(made);
  made.cassandra.contact_points = "127.0.0.1:1";
  auto exporter = make_cassandra_span_exporter(made);
  ASSERT_TRUE(exporter.has_value()) << exporter.error().message();
  std::vector<std::unique_ptr<opentelemetry::sdk::trace::Recordable>> batch;
  for (int i = 0; i < 10; ++i) {
    auto span = (*exporter)->MakeRecordable();
    span->SetIdentity(opentelemetry::trace::SpanContext(true, false), opentelemetry::trace::SpanId());
    span->SetName("kept");
    batch.push_back(std::move(span));
  }
  EXPECT_EQ((*exporter)->Export({batch.data(), batch.size()}), opentelemetry::sdk::common::ExportResult::kSuccess);
  EXPECT_FALSE((*exporter)->ForceFlush(milliseconds(200))) << "Cassandra has acknowledged nothing";
  EXPECT_EQ((*exporter)->status().unreplicated_items, 10U);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE((*exporter)->Shutdown(seconds(2)));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(10));
  auto late = (*exporter)->MakeRecordable();
  late->SetIdentity(opentelemetry::trace::SpanContext(true, false), opentelemetry::trace::SpanId());
  EXPECT_EQ((*exporter)->Export({&late, 1}), opentelemetry::sdk::common::ExportResult::kFailure);
}

}  // namespace
}  // namespace arca::integration
