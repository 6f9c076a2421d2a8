// `arca recover` on a state directory with real pools and journals in it, against a sink that behaves as told.
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "cli/recover_report.hpp"
#include "cli/state_fixture.hpp"
#include "support/wait.hpp"

namespace arca::cli {
namespace {

using Json = nlohmann::ordered_json;
using RecoverCommandTest = testing::StateTest;
using testing::RunningSink;
using testing::Writer;

TEST_F(RecoverCommandTest, DeliversWhatADeadWriterLeftAndOnlyThat) {
  {
    Writer dead = make_writer();
    append(dead, 1, 100);
    spill(dead);
    append(dead, 101, 150);
  }
  Writer live = make_writer();
  append(live, 1000, 1010);
  RunningSink collector;
  const Outcome plan = run({"recover", "--state", state_, "--dry-run", "--json"});
  EXPECT_EQ(plan.code, 0) << plan.err;
  EXPECT_NE(plan.out.find("\"items\": 150"), std::string::npos) << plan.out;
  const Outcome outcome =
      run({"recover", "--state", state_, "--endpoint", collector.grpc(), "--json", "--deadline", "30s"});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_EQ(Json::parse(outcome.out)["items_delivered"], 150);
  const Json report = collector.stop();
  EXPECT_EQ(report["signals"]["traces"]["unique"], 150);
  EXPECT_EQ(report["signals"]["traces"]["duplicates"], 0);
  const Json after = status();
  EXPECT_EQ(after["holds"], true);
  EXPECT_EQ(after["signals"]["traces"]["delivered"], 150);
  EXPECT_EQ(after["signals"]["traces"]["in_memory"], 11);
  EXPECT_EQ(after["finished"]["writers"], 1);
}

TEST_F(RecoverCommandTest, WhatACollectorRefusesOfAChunkIsKeptInTheQuarantine) {
  {
    Writer dead = make_writer();
    append(dead, 1, 100);
    spill(dead);
    append(dead, 101, 150);
  }
  RunningSink collector("partial 5");
  run({"recover", "--state", state_, "--endpoint", collector.grpc(), "--deadline", "30s"});
  const Json after = status();
  EXPECT_EQ(after["holds"], true) << after.dump(2);
  const Json& traces = after["signals"]["traces"];
  EXPECT_EQ(traces["delivered"], 140);  // of two chunks, one of the journal and one of the pool
  EXPECT_EQ(traces["quarantined"], 10);
  EXPECT_EQ(traces["lost"], 0);
  const std::string kept = run({"inspect", state_, "--records"}).out;
  for (const char* item : {"test.seq=1", "test.seq=150"}) EXPECT_NE(kept.find(item), std::string::npos) << kept;
}

TEST_F(RecoverCommandTest, ACollectorThatRefusesAllForGoodIsAFailureThoughNothingIsLost) {
  {
    Writer dead = make_writer();
    append(dead, 1, 20);
  }
  RunningSink collector("grpc unauthenticated message=wrong-token");
  const Outcome outcome =
      run({"recover", "--state", state_, "--endpoint", collector.grpc(), "--json", "--deadline", "30s"});
  EXPECT_EQ(outcome.code, 1) << outcome.out << outcome.err;
  const Json report = Json::parse(outcome.out);
  EXPECT_EQ(report["items_delivered"], 0);
  EXPECT_EQ(report["items_quarantined"], 20);
  EXPECT_NE(outcome.err.find("refused 20 items"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("wrong-token"), std::string::npos) << outcome.err;
  const Json after = status();
  EXPECT_EQ(after["signals"]["traces"]["quarantined"], 20);
  EXPECT_EQ(after["lost"], 0);
}

TEST_F(RecoverCommandTest, WatchDeliversWhoDiesMeanwhileAndEndsBySigterm) {
  auto doomed = std::make_unique<Writer>(make_writer());
  append(*doomed, 1, 30);
  RunningSink collector;
  ::setenv("ARCA_RECOVERY_SCAN_INTERVAL", "50ms", 1);
  std::thread host([&] {
    doomed.reset();  // maybe before the first look, maybe after it
    EXPECT_TRUE(support::wait_until([&] { return status()["finished"]["writers"] == 1; }));
    ::kill(::getpid(), SIGTERM);
  });
  const Outcome outcome = run({"recover", "--state", state_, "--endpoint", collector.grpc(), "--watch"});
  host.join();
  ::unsetenv("ARCA_RECOVERY_SCAN_INTERVAL");
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_NE(outcome.err.find("watching"), std::string::npos) << outcome.err;
  EXPECT_EQ(collector.stop()["signals"]["traces"]["unique"], 30);
}

TEST(RecoverReportTest, WhatStandsInFilesOfOthersCannotSpeakToTheTerminal) {
  flow::RecoveryStatus status;
  status.writers.emplace_back().note = "\x1b[2J is damaged";
  const std::string text = writers_as_text(status);
  EXPECT_NE(text.find("\\x1b[2J is damaged"), std::string::npos) << text;
}

TEST_F(RecoverCommandTest, OverHttp) {
  {
    Writer dead = make_writer();
    append(dead, 1, 20);
  }
  RunningSink collector;
  const Outcome outcome = run({"recover", "--state", state_, "--endpoint", collector.http(), "--protocol",
                               "http/protobuf", "--deadline", "30s"});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_EQ(collector.stop()["signals"]["traces"]["unique"], 20);
}

TEST_F(RecoverCommandTest, WithoutACollectorKeepsAllAndSaysSo) {
  {
    Writer dead = make_writer();
    append(dead, 1, 20);
  }
  const Outcome outcome =
      run({"recover", "--state", state_, "--endpoint", "http://127.0.0.1:1", "--deadline", "500ms"});
  EXPECT_EQ(outcome.code, 4) << outcome.out << outcome.err;
  const Json after = status();
  EXPECT_EQ(after["holds"], true);
  EXPECT_EQ(after["signals"]["traces"]["in_memory"], 20);
}

}  // namespace
}  // namespace arca::cli
