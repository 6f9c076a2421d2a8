// The program beside a real Cassandra node and the real Collector: `arca schema` and `arca recover`.
#include <algorithm>
#include <csignal>
#include <map>

#include "integration/telemetry_fixture.hpp"
#include "support/cassandra.hpp"
#include "support/contents.hpp"
#include "support/process.hpp"

namespace arca::integration {
namespace {

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

  std::map<std::string, std::string> environment() const {
    return {{"ARCA_CASSANDRA_CONTACT_POINTS", contact_points()},
            {"ARCA_CASSANDRA_KEYSPACE", keyspace_},
            {"ARCA_CASSANDRA_REPLICATION_FACTOR", "1"},
            {"ARCA_CASSANDRA_SCAN_INTERVAL", "200ms"},
            {"ARCA_STATE_DIRECTORY", directory_ / "state"},
            {"OTEL_EXPORTER_OTLP_ENDPOINT", collector_->grpc_endpoint()}};
  }
  // Runs it to its end; what it printed, with "exit N" as the last line.
  std::string arca(std::vector<std::string> arguments) const {
    std::vector<std::string> command{"/usr/bin/env"};
    for (const auto& [name, value] : environment()) command.push_back(name + "=" + value);
    command.insert(command.end(), {"/bin/sh", "-c", "\"$0\" \"$@\"; echo exit $?", ARCA_PROGRAM});
    command.insert(command.end(), arguments.begin(), arguments.end());
    const auto said = support::run_command(command);
    return said ? *said : said.error().message();
  }
  static void expect_says(const std::string& said, const std::string& part) {
    EXPECT_NE(said.find(part), std::string::npos) << part << " is not in\n" << said;
  }
  // What a process that is gone has left in Cassandra. It saw no Collector.
  void park_spans(std::size_t count) {
    Config made = config(grpc);
    made.otlp.endpoint = "http://127.0.0.1:9";  // nobody
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

TEST_F(CassandraProgram, ADryRunShowsWhatIsParkedAndMakesNoTables) {
  expect_says(arca({"recover", "--dry-run"}), "not ready: Cassandra: missing");
  expect_says(arca({"schema", "check"}), "exit 6");
  park_spans(100);
  expect_says(arca({"recover", "--dry-run"}), "segments left");
  expect_says(arca({"recover", "--deadline", "100s"}), "complete: 100 items");
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

TEST_F(CassandraProgram, RecoverThatWatchesDeliversWhatIsParkedBeforeAndMeanwhileAndEndsBySigterm) {
  ASSERT_TRUE(collector_->kill().has_value());
  park_spans(500);
  const std::string said_path = directory_ / "recover.out";
  auto watcher = support::Process::start({ARCA_PROGRAM, "recover", "--watch"},
                                         {.environment = environment(), .output_path = said_path});
  ASSERT_TRUE(watcher.has_value()) << watcher.error().message();
  // It has taken what is parked, and nobody is there to send it to.
  ASSERT_TRUE(support::wait_until(
      [&] {
        const auto leases = node_->cql("SELECT owner FROM " + keyspace_ + ".recovery_leases");
        return leases && std::ranges::any_of(*leases, [](const Json& row) { return !row.at("owner").is_null(); });
      },
      patience));
  const auto has_written_all = [&] {
    output_->refresh();
    return output_->span_ids().size() >= accepted_.size();
  };
  EXPECT_FALSE(has_written_all());
  ASSERT_TRUE(collector_->restart().has_value());
  EXPECT_TRUE(support::wait_until(has_written_all, patience)) << support::contents_of(said_path);
  park_spans(300);
  EXPECT_TRUE(support::wait_until(has_written_all, patience)) << support::contents_of(said_path);
  (*watcher)->send_signal(SIGTERM);
  EXPECT_EQ((*watcher)->wait(patience), support::ExitStatus{}) << support::contents_of(said_path);
  expect_all_spans_written();
  expect_duplicates_only_as_whole_chunks();
  expect_says(arca({"recover", "--deadline", "100s"}), "complete: 0 items");
}

}  // namespace
}  // namespace arca::integration
