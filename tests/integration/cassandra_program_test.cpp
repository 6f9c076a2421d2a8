// The program beside a real Cassandra node and the real Collector: `arca schema` and `arca recover`.
#include "integration/telemetry_fixture.hpp"
#include "support/cassandra.hpp"
#include "support/process.hpp"

namespace arca::integration {
namespace {

constexpr seconds patience{120};  // the machine is busy with others

class CassandraProgram : public TelemetryFixture {
 protected:
  void SetUp() override {
    const auto node = support::Cassandra::shared_node();
    ASSERT_TRUE(node.has_value()) << node.error().message();
    node_ = *node;
    const auto keyspace = node_->make_keyspace(1);
    ASSERT_TRUE(keyspace.has_value()) << keyspace.error().message();
    keyspace_ = *keyspace;
    start_collector();
  }
  std::string contact_points() const { return node_->contact_points().front() + ":" + std::to_string(node_->port()); }

  // Runs it to its end; what it printed, with "exit N" as the last line.
  std::string arca(std::vector<std::string> arguments) const {
    std::vector<std::string> command{"/usr/bin/env",
                                     "ARCA_CASSANDRA_CONTACT_POINTS=" + contact_points(),
                                     "ARCA_CASSANDRA_KEYSPACE=" + keyspace_,
                                     "ARCA_CASSANDRA_REPLICATION_FACTOR=1",
                                     "ARCA_CASSANDRA_SCAN_INTERVAL=200ms",
                                     "ARCA_STATE_DIRECTORY=" + directory_ / "state",
                                     "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector_->grpc_endpoint(),
                                     "/bin/sh",
                                     "-c",
                                     "\"$0\" \"$@\"; echo exit $?",
                                     ARCA_PROGRAM};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const auto said = support::run_command(command);
    return said ? *said : said.error().message();
  }
  static void expect_says(const std::string& said, const std::string& part) {
    EXPECT_NE(said.find(part), std::string::npos) << part << " is not in\n" << said;
  }
  // What a process that is gone has left in Cassandra.
  void park_spans(std::size_t count) {
    ASSERT_TRUE(collector_->kill().has_value());
    Config made = config(grpc);
    made.cassandra.contact_points = contact_points();
    made.cassandra.keyspace = keyspace_;
    made.cassandra.replication_factor = "1";
    made.cassandra.recovery = false;
    start(made);
    record_spans(count);
    ASSERT_TRUE(support::wait_until(
        [&] {
          const Status status = telemetry_->status();
          return status.traces.parked >= count && status.cassandra.rows_pending == 0;
        },
        patience))
        << to_json(telemetry_->status());
    telemetry_->shutdown(seconds(5));
    telemetry_.reset();
    ASSERT_TRUE(collector_->restart().has_value());
  }

  support::Cassandra* node_ = nullptr;
  std::string keyspace_;
};

TEST_F(CassandraProgram, SchemaSaysWhatIsMissingCreatesItAndSaysWhatDiffers) {
  expect_says(arca({"schema", "check"}), "exit 6");
  const std::string applied = arca({"schema", "apply"});
  expect_says(applied, "everything is there and fits");
  expect_says(applied, "exit 0");
  expect_says(arca({"schema", "check"}), "exit 0");
  ASSERT_TRUE(node_->cql("ALTER TABLE " + keyspace_ + ".traces_overflow WITH default_time_to_live = 60"));
  const std::string differs = arca({"schema", "check"});
  expect_says(differs, "differs: ");
  expect_says(differs, "traces_overflow");
  expect_says(differs, "exit 1");
}

TEST_F(CassandraProgram, RecoverDeliversWhatIsParkedAndASecondPassFindsNothing) {
  park_spans(2000);
  const std::string said = arca({"recover", "--deadline", "100s"});
  expect_says(said, "complete: 2,000 items");
  expect_says(said, "exit 0");
  output_->refresh();
  expect_all_spans_written();
  expect_duplicates_only_as_whole_chunks();
  expect_says(arca({"recover", "--deadline", "100s"}), "complete: 0 items");
}

// For the recoverers of another datacenter when that one is lost.
TEST_F(CassandraProgram, RecoverTakesWhatIsParkedInTheDatacenterThatItIsToldAndInNoOther) {
  park_spans(300);
  expect_says(arca({"recover", "--datacenter", "elsewhere", "--deadline", "100s"}), "complete: 0 items");
  expect_says(arca({"recover", "--datacenter", "datacenter1", "--deadline", "100s"}), "complete: 300 items");
  output_->refresh();
  expect_all_spans_written();
}

TEST_F(CassandraProgram, ScanOfRowsSendsThemOnceUnderOneName) {
  park_spans(300);
  const std::string said = arca({"recover", "--scan-rows", "--deadline", "100s"});
  expect_says(said, "complete: 300 items");
  expect_says(said, "exit 0");
  output_->refresh();
  expect_all_spans_written();
  expect_no_duplicates();
  expect_says(arca({"recover", "--scan-rows", "--deadline", "100s"}), "complete: 0 items");
}

}  // namespace
}  // namespace arca::integration
