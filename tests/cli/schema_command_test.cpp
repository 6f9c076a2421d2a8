// `arca schema` without a cluster, and what the commands show of a process that parks in Cassandra.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/run_command.hpp"
#include "cli/status_report.hpp"

namespace arca::cli {
namespace {

// A variable for the time of a test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(SchemaCommandTest, PrintGivesEveryStatementAndNeedsNoCluster) {
  const Variable keyspace("ARCA_CASSANDRA_KEYSPACE", "shop");
  const Variable ttl("ARCA_CASSANDRA_ROW_TTL", "3d");
  const Outcome outcome = run({"schema", "print"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("CREATE KEYSPACE IF NOT EXISTS shop"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("shop.traces_overflow"), std::string::npos);
  EXPECT_NE(outcome.out.find("default_time_to_live = 259200"), std::string::npos);
  const auto list = nlohmann::json::parse(run({"schema", "print", "--json"}).out);
  EXPECT_GT(list.size(), 5U);
}

TEST(SchemaCommandTest, CheckWithoutContactPointsSaysWhichVariableIsMissing) {
  const Outcome outcome = run({"schema", "check"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("ARCA_CASSANDRA_CONTACT_POINTS"), std::string::npos) << outcome.err;
}

TEST(SchemaCommandTest, AMissingDriverIsNamedWithItsCure) {
  const Variable points("ARCA_CASSANDRA_CONTACT_POINTS", "127.0.0.1:1");
  const Variable driver("ARCA_CASSANDRA_DRIVER", "/nowhere/libarca_cql.so");
  const Outcome outcome = run({"schema", "check", "--timeout", "100ms"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("/nowhere/libarca_cql.so"), std::string::npos) << outcome.err;
}

TEST(SchemaCommandTest, ACommandThatDoesNotExistIsWrongUsage) {
  EXPECT_EQ(run({"schema", "drop"}).code, 2);
  EXPECT_EQ(run({"schema"}).code, 2);
}

StatusReport report_with(const char* cassandra) {
  WriterView writer;
  writer.id = model::WriterId{7};
  writer.live = true;
  writer.process_status = std::string(R"({"cassandra":)") + cassandra + "}";
  StatusReport report;
  report.state.writers.push_back(writer);
  return report;
}

TEST(StatusOfCassandraTest, ShowsNodesSegmentsRowsAndTheAlarm) {
  std::ostringstream out;
  Console console(out, out, false, false);
  const std::string text = status_as_text(
      report_with(
          R"({"configured":true,"connected":true,"ready":true,"nodes_up":2,"nodes_known":3,"parked_bytes":2048,)"
          R"("open_segments":1,"waiting_segments":4,"oldest_age_seconds":90,"rows_pending":12,"near_ttl":true,)"
          R"("last_error":"no quorum"})"),
      console);
  for (const char* part : {"ready, 2 of 3 nodes up", "parked 2.0 KiB", "5 segments", "the oldest 90s",
                           "rows of 12 items", "half of its TTL", "no quorum"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
}

TEST(StatusOfCassandraTest, WhatAPeerSaidCannotSpeakToTheTerminal) {
  std::ostringstream out;
  Console console(out, out, false, false);
  StatusReport report = report_with(R"({"configured":true,"last_error":"\u001b[31mno quorum"},)"
                                    R"("breakers":{"\u001b":"\u001b"},"last_error":"\u001b[2J","x":{})");
  report.state.writers[0].notes = report.state.notes = {"\x1b[1m"};
  const std::string text = status_as_text(report, console);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("\\x1b[31mno quorum"), std::string::npos) << text;
}

TEST(StatusOfCassandraTest, SaysNothingWhereThereIsNone) {
  std::ostringstream out;
  Console console(out, out, false, false);
  EXPECT_EQ(status_as_text(report_with(R"({"configured":false})"), console).find("Cassandra"), std::string::npos);
}

}  // namespace
}  // namespace arca::cli
