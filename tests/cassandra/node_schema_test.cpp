// The schema on a real node: made, found complete, and what differs named.
#include <gmock/gmock.h>

#include <thread>

#include "shared_node.hpp"

namespace arca::cassandra {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SchemaTest : public NodeTest {
 protected:
  void SetUp() override {
    client_ = connected();
    schema_ = new_keyspace();
  }
  void TearDown() override {
    if (client_) run(*client_, "DROP KEYSPACE IF EXISTS " + schema_.keyspace);
  }
  SchemaReport check() {
    auto report = check_schema(*client_, schema_, patience);
    if (!report) throw std::runtime_error(report.error().message());
    return *report;
  }
  SchemaReport apply() {
    auto report = apply_schema(*client_, schema_, patience);
    if (!report) throw std::runtime_error(report.error().message());
    return *report;
  }
  void execute(const std::string& text) {
    const Answer answer = run(*client_, text);
    ASSERT_TRUE(answer.ok()) << text << ": " << answer.message;
  }

  std::unique_ptr<CqlClient> client_;
  SchemaSettings schema_;
};

TEST_F(SchemaTest, AMissingSchemaIsNamedMadeAndThenComplete) {
  const SchemaReport before = check();
  EXPECT_FALSE(before.complete());
  EXPECT_THAT(before.missing, Contains("keyspace " + schema_.keyspace));
  EXPECT_THAT(before.missing, Contains("table " + schema_.keyspace + ".overflow_chunks"));
  EXPECT_THAT(before.missing, SizeIs(10));

  const SchemaReport after = apply();
  EXPECT_TRUE(after.fits()) << ::testing::PrintToString(after.missing) << ::testing::PrintToString(after.differences);
  EXPECT_THAT(after.notes, IsEmpty());
  EXPECT_TRUE(check().fits());
  // The Python driver sees the same table.
  const auto seen = judged("SELECT default_time_to_live FROM system_schema.tables WHERE keyspace_name = '" +
                           schema_.keyspace + "' AND table_name = 'traces_overflow'");
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].at("default_time_to_live"), 604'800);
}

TEST_F(SchemaTest, TwoStartersAtOnceBothSucceedAndMakeOneSchema) {
  constexpr int starter_count = 3;
  std::vector<std::thread> starters;
  std::vector<std::optional<Result<SchemaReport>>> reports(starter_count);
  for (int i = 0; i < starter_count; ++i) {
    starters.emplace_back([&, i] {
      const auto client = connected();
      reports[static_cast<std::size_t>(i)] = apply_schema(*client, schema_, patience);
    });
  }
  for (std::thread& starter : starters) starter.join();
  for (const auto& report : reports) {
    ASSERT_TRUE(report && *report) << (*report).error().message();
    EXPECT_TRUE((**report).fits());
  }
}

TEST_F(SchemaTest, EachDifferenceIsNamedWithWhatToDo) {
  const std::string& space = schema_.keyspace;
  execute("CREATE KEYSPACE " + space + " WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}");
  execute("CREATE TABLE " + space +
          ".traces_overflow (trace_id text, span_id text, timestamp bigint, service_name text, operation_name text, "
          "trace_data blob, PRIMARY KEY ((trace_id, span_id))) WITH default_time_to_live = 100");
  const SchemaReport report = check();
  EXPECT_THAT(report.differences,
              Contains(AllOf(
                  HasSubstr("column " + space + ".traces_overflow.timestamp is of type bigint, should be timestamp"))));
  EXPECT_THAT(report.differences,
              Contains(HasSubstr("table " + space +
                                 ".traces_overflow has the primary key ((trace_id, span_id)), should "
                                 "have ((trace_id), span_id ASC)")));
  EXPECT_THAT(report.differences, Contains(HasSubstr("keeps its rows for 100 s, should for 604800 s: ALTER TABLE")));
  EXPECT_THAT(report.differences,
              Contains(HasSubstr("is replicated by NetworkTopologyStrategy, datacenter1: 1, should be by "
                                 "SimpleStrategy, replication_factor: 1")));
  EXPECT_THAT(report.differences, SizeIs(4));
}

TEST_F(SchemaTest, AFactorForAllDatacentersFitsWhatTheServerMakesOfIt) {
  schema_.replication_class = "NetworkTopologyStrategy";
  const SchemaReport report = apply();
  EXPECT_TRUE(report.fits()) << ::testing::PrintToString(report.differences);
}

TEST_F(SchemaTest, AMissingColumnIsNamedAndAdded) {
  execute("CREATE KEYSPACE " + schema_.keyspace +
          " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
  execute("CREATE TABLE " + schema_.keyspace +
          ".traces_overflow (trace_id text, span_id text, timestamp timestamp, service_name text, operation_name text, "
          "PRIMARY KEY (trace_id, span_id)) WITH default_time_to_live = 604800");
  EXPECT_THAT(check().missing, Contains("column " + schema_.keyspace + ".traces_overflow.trace_data blob"));
  const SchemaReport report = apply();
  EXPECT_TRUE(report.fits()) << ::testing::PrintToString(report.missing)
                             << ::testing::PrintToString(report.differences);
}

TEST_F(SchemaTest, MoreCopiesThanNodesAreSaidPlainlyAndTheTablesMadeAllTheSame) {
  schema_.replication_factor = "3";
  const SchemaReport report = apply();
  EXPECT_TRUE(report.fits()) << ::testing::PrintToString(report.missing)
                             << ::testing::PrintToString(report.differences);
  EXPECT_THAT(report.notes, ElementsAre(AllOf(HasSubstr("keeps 3 copies, and the cluster has 1 node"),
                                              HasSubstr("a quorum of 2 cannot acknowledge"))));
}

TEST_F(SchemaTest, ANodeThatIsNotThereEndsByTheTimeout) {
  ConnectionSettings nowhere = settings();
  nowhere.contact_points = "127.0.0.1:" + std::to_string(support::free_port());
  auto client = CqlClient::open(nowhere);
  ASSERT_TRUE(client) << client.error().message();
  const auto report = check_schema(**client, schema_, std::chrono::milliseconds(500));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::unavailable);
}

}  // namespace
}  // namespace arca::cassandra
