// The tier while the world fails around one node: the Collector away for a whole life, tables missing, dropped, or
// short of life. Each test prints its row of the table of faults; what was accepted is all in the Collector's file in
// the end.
#include <google/protobuf/message.h>

#include "integration/cassandra_fixture.hpp"
#include "opentelemetry/proto/trace/v1/trace.pb.h"

namespace arca::integration {
namespace {

class CassandraFaults : public CassandraFixture {
 protected:
  // Whether a row holds one TracesData with the one span of its key, and nothing that the official classes don't know.
  static bool holds_its_span(const Json& row) {
    const std::string blob = bytes_of(row.at("trace_data").get<std::string>());
    opentelemetry::proto::trace::v1::TracesData data;
    if (!data.ParseFromString(blob) || data.resource_spans_size() != 1) return false;
    const auto& resource = data.resource_spans(0);
    if (resource.scope_spans_size() != 1 || resource.scope_spans(0).spans_size() != 1) return false;
    const auto& span = resource.scope_spans(0).spans(0);
    return text_of(span.span_id()) == row.at("span_id").get<std::string>() &&
           text_of(span.trace_id()) == row.at("trace_id").get<std::string>() && row.at("service_name") == "judged" &&
           row.at("operation_name") == span.name() && span.GetReflection()->GetUnknownFields(span).empty();
  }
  static std::string bytes_of(const std::string& hex_text) {  // "0x..."
    std::string bytes;
    for (std::size_t i = 2; i + 1 < hex_text.size(); i += 2) {
      bytes.push_back(static_cast<char>(std::stoi(hex_text.substr(i, 2), nullptr, 16)));
    }
    return bytes;
  }
  static std::string text_of(const std::string& bytes) {
    std::string text;
    for (const char byte : bytes) {
      constexpr char digits[] = "0123456789abcdef";
      text += digits[static_cast<unsigned char>(byte) >> 4U];
      text += digits[static_cast<unsigned char>(byte) & 15U];
    }
    return text;
  }
  Result<Json> change(const std::string& statement) const {
    return node_->cql(statement, {.timeout = milliseconds(60'000)});
  }
};

TEST_F(CassandraFaults, ACollectorThatIsAwayForTheWholeRunGetsAllThreeSignalsAfterwards) {
  ASSERT_TRUE(collector_->kill().has_value());
  Config made = with_cassandra();
  made.metric_interval = milliseconds(300);
  start(made);
  const auto counter = telemetry_->meter_provider()->GetMeter("scope")->CreateUInt64Counter("parked");
  await_ready();
  counter->Add(7);
  record_spans(3000);
  record_logs(500);
  ASSERT_TRUE(wait_for_status([](const Status& status) {
    return status.traces.parked >= 3000 && status.logs.parked >= 500 && status.metrics.parked >= 1 &&
           status.cassandra.rows_pending == 0;
  })) << to_json(telemetry_->status());
  expect_law();
  EXPECT_EQ(telemetry_->status().traces.delivered, 0U);
  stop();

  std::size_t good = 0;
  const Json found = rows("trace_id, span_id, service_name, operation_name, trace_data", "traces_overflow");
  for (const Json& row : found)
    if (holds_its_span(row) && accepted_.count(row.at("span_id")) == 1) ++good;
  EXPECT_EQ(found.size(), accepted_.size());
  EXPECT_EQ(good, accepted_.size()) << "each row holds its span, and each span has its row";

  ASSERT_TRUE(collector_->restart().has_value());
  start(with_cassandra());
  expect_all_arrived("Collector away for the whole run (spans)");
  const auto have_the_rest = [&] {
    output_->refresh();
    return output_->log_records().size() >= log_count_ && !output_->metric_points().empty();
  };
  EXPECT_TRUE(support::wait_until(have_the_rest, patience));
  std::set<std::string> texts;
  for (const auto& record : output_->log_records()) texts.insert(record.json.at("body").at("stringValue"));
  support::report_fault({"Collector away for the whole run (logs)", log_count_, texts.size(),
                         output_->log_records().size() - texts.size()});
  std::size_t sums = 0;
  for (const auto& point : output_->metric_points()) {
    if (point.metric_name == "parked" && point.json.value("asInt", "") == "7") ++sums;
  }
  EXPECT_GT(sums, 0U) << "a point of the counter";
}

TEST_F(CassandraFaults, WithoutItsTablesNothingIsParkedAndNothingIsLostAndOnceTheyAreThereItIs) {
  ASSERT_TRUE(collector_->kill().has_value());
  Config made = with_cassandra();
  made.cassandra.apply_schema = false;
  start(made);
  record_spans(1000);
  ASSERT_TRUE(wait_for_status([](const Status& status) {
    return status.cassandra.last_error.find("missing") != std::string::npos;
  })) << to_json(telemetry_->status());
  expect_law();
  EXPECT_FALSE(telemetry_->status().cassandra.ready);
  EXPECT_EQ(telemetry_->status().unreplicated_items, 1000U) << "what a loss of the host would take is told";
  {
    Config other = with_cassandra();  // somebody who may make them
    other.state_directory = directory_ / "maker";
    other.pool_directory.reset();
    const auto maker = Telemetry::start(other);
    ASSERT_TRUE(maker.has_value()) << maker.error().message();
    ASSERT_TRUE(support::wait_until([&] { return (*maker)->status().cassandra.ready; }, patience))
        << to_json((*maker)->status());
    (*maker)->shutdown(seconds(3));
  }
  ASSERT_TRUE(await_replicated()) << to_json(telemetry_->status());
  ASSERT_TRUE(collector_->restart().has_value());
  expect_all_arrived("tables missing at the start, made later");
  expect_law();
}

TEST_F(CassandraFaults, AKeyspaceThatIsDroppedTakesOnlyWhatWasParkedInItAndThatIsTold) {
  start(with_cassandra());
  await_ready();
  record_spans(500);
  expect_delivered();
  ASSERT_TRUE(change("DROP KEYSPACE " + keyspace_).has_value());
  ASSERT_TRUE(collector_->kill().has_value());
  record_spans(2000);
  // The tables are made anew, and taken.
  ASSERT_TRUE(await_replicated()) << to_json(telemetry_->status());
  expect_law();
  EXPECT_GT(telemetry_->status().traces.parked, 0U);
  ASSERT_TRUE(collector_->restart().has_value());
  expect_all_arrived("keyspace dropped while running");
  expect_law();
}

TEST_F(CassandraFaults, WhatWasParkedInAKeyspaceThatIsDroppedIsLostAndSaidAndNoFlushWaitsForIt) {
  ASSERT_TRUE(collector_->kill().has_value());
  start(with_cassandra());
  await_ready();
  record_spans(300);
  ASSERT_TRUE(await_replicated()) << to_json(telemetry_->status());
  ASSERT_TRUE(change("DROP KEYSPACE " + keyspace_).has_value());
  record_spans(100);
  ASSERT_TRUE(wait_for_status([](const Status& status) { return status.traces.lost == 300; }))
      << to_json(telemetry_->status());
  EXPECT_TRUE(telemetry_->status().holds()) << to_json(telemetry_->status());
  ASSERT_TRUE(collector_->restart().has_value());
  ASSERT_TRUE(wait_for_status([](const Status& status) { return status.traces.delivered == 100; }))
      << to_json(telemetry_->status());
  EXPECT_EQ(telemetry_->force_flush(patience).outcome, FlushOutcome::incomplete) << "once: something was lost";
  EXPECT_EQ(telemetry_->force_flush(patience).outcome, FlushOutcome::delivered);
}

TEST_F(CassandraFaults, AnOutageLongerThanTheLifeOfChunksLosesNothingWhileSomebodyRecovers) {
  const QuickTiming quick;
  ASSERT_TRUE(collector_->kill().has_value());
  Config made = with_cassandra();
  made.cassandra.chunk_ttl = seconds(15);
  start(made);
  await_ready();
  record_spans(1500);
  ASSERT_TRUE(await_replicated()) << to_json(telemetry_->status());
  std::set<std::string> first;
  for (const Json& row : rows("segment", "overflow_chunks")) first.insert(row.at("segment"));
  ASSERT_FALSE(first.empty());
  // Until nothing of what was written first is left: it is there all the same, written anew.
  const auto first_are_gone = [&] {
    std::set<std::string> now;
    for (const Json& row : rows("segment", "overflow_chunks")) now.insert(row.at("segment"));
    return std::none_of(first.begin(), first.end(), [&](const auto& id) { return now.count(id) == 1; });
  };
  EXPECT_TRUE(support::wait_until(first_are_gone, patience));
  EXPECT_TRUE(telemetry_->status().cassandra.near_ttl || telemetry_->status().cassandra.segments_known > 0);
  ASSERT_TRUE(collector_->restart().has_value());
  expect_all_arrived("outage longer than the life of chunks (15 s)");
}

}  // namespace
}  // namespace arca::integration
