// What the integration tests of the Cassandra tier share: a keyspace of their own on the shared node, a Telemetry with
// both tiers, and the account of all that was recorded. Used by tests/integration/cassandra_*_test.cpp.
#pragma once

#include <atomic>

#include "cassandra/timing.hpp"
#include "integration/telemetry_fixture.hpp"
#include "opentelemetry/logs/logger.h"
#include "opentelemetry/metrics/meter.h"
#include "opentelemetry/metrics/sync_instruments.h"
#include "support/cassandra.hpp"
#include "support/fault_table.hpp"

namespace arca::integration {

// What starts while it lives goes by shorter times. Not thread-safe: one test thread.
class QuickTiming {
 public:
  QuickTiming() {
    cassandra::Timing quick = usual_;
    quick.lifetime = seconds(3);
    quick.margin = seconds(1);
    quick.lease_ttl = seconds(4);
    cassandra::set_timing(quick);
  }
  ~QuickTiming() { cassandra::set_timing(usual_); }
  QuickTiming(const QuickTiming&) = delete;
  QuickTiming& operator=(const QuickTiming&) = delete;

 private:
  const cassandra::Timing usual_ = cassandra::timing();
};

class CassandraFixture : public TelemetryFixture {
 protected:
  void SetUp() override {
    const auto node = support::Cassandra::shared_node();
    ASSERT_TRUE(node.has_value()) << node.error().message();
    use(**node, 1);
  }
  // Makes a keyspace there, and starts the Collector.
  void use(support::Cassandra& node, int replicas) {
    node_ = &node;
    replicas_ = replicas;
    const auto keyspace = node.make_keyspace(replicas);
    ASSERT_TRUE(keyspace.has_value()) << keyspace.error().message();
    keyspace_ = *keyspace;
    start_collector();
  }
  void add_cassandra(Config& config) const {
    std::string points;
    for (const std::string& point : node_->contact_points()) points += (points.empty() ? "" : ",") + point;
    config.cassandra.contact_points = points + ":" + std::to_string(node_->port());
    config.cassandra.keyspace = keyspace_;
    config.cassandra.replication_factor = std::to_string(replicas_);
    config.cassandra.scan_interval = milliseconds(200);
  }
  Config with_cassandra() const {
    Config made = config(grpc);
    made.otlp.timeout = milliseconds(500);
    add_cassandra(made);
    return made;
  }
  bool wait_for_status(const std::function<bool(const Status&)>& condition, milliseconds timeout = patience) const {
    return support::wait_until([&] { return condition(telemetry_->status()); }, timeout);
  }
  void await_ready() const {
    ASSERT_TRUE(wait_for_status([](const Status& status) { return status.cassandra.ready; }))
        << to_json(telemetry_->status());
  }
  // Everything accepted so far is in Cassandra, or was delivered.
  bool await_replicated(milliseconds timeout = patience) const {
    return wait_for_status([](const Status& status) { return status.unreplicated_items == 0; }, timeout);
  }
  Json rows(const std::string& columns, const std::string& table) const {
    auto found = node_->cql("SELECT " + columns + " FROM " + keyspace_ + "." + table);
    EXPECT_TRUE(found.has_value()) << found.error().message();
    return found ? *found : Json::array();
  }
  std::set<std::string> span_ids_in_cassandra() const {
    std::set<std::string> ids;
    for (const Json& row : rows("span_id", "traces_overflow")) ids.insert(row.at("span_id").get<std::string>());
    return ids;
  }
  void record_logs(int count) {
    const auto logger = telemetry_->logger_provider()->GetLogger("scope", "", "1", "");
    for (int i = 0; i < count; ++i) logger->Info("log " + std::to_string(log_count_++));
  }

  // Ends the process's telemetry as an application that stops would.
  void stop(seconds timeout = seconds(3)) {
    telemetry_->shutdown(timeout);
    telemetry_.reset();
  }
  // Waits until every accepted span is in the Collector's file, then prints the row of the table and judges.
  void expect_all_arrived(const std::string& fault) {
    const auto have_all = [&] {
      output_->refresh();
      return output_->span_ids().size() >= accepted_.size();
    };
    EXPECT_TRUE(support::wait_until(have_all, patience)) << (telemetry_ ? to_json(telemetry_->status()) : "");
    std::size_t arrived = 0;
    for (const auto& id : accepted_) arrived += output_->span_ids().count(id);
    support::report_fault({fault, accepted_.size(), arrived, output_->spans().size() - output_->span_ids().size()});
    EXPECT_EQ(output_->span_ids().size(), accepted_.size()) << "spans that nobody recorded";
    expect_duplicates_only_as_whole_chunks();
  }

  support::Cassandra* node_ = nullptr;
  int replicas_ = 1;
  std::string keyspace_;
  std::size_t log_count_ = 0;
};

}  // namespace arca::integration
