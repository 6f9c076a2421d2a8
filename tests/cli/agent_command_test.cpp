// `arca agent` as people run it: its configuration read again by SIGHUP, its end by SIGTERM.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "cli/command_line.hpp"
#include "cli/run_command.hpp"
#include "cli/sink/sink_server.hpp"
#include "support/shared_text.hpp"
#include "support/temporary_directory.hpp"
#include "support/wait.hpp"

namespace arca::cli {
namespace {

using Json = nlohmann::ordered_json;

class AgentCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = std::move(*sink::SinkServer::open({}, loop_));
    thread_ = std::thread([this] {
      while (!stopping_) loop_.step(std::chrono::milliseconds(5));
    });
    ::setenv("OTEL_EXPORTER_OTLP_ENDPOINT", ("http://127.0.0.1:" + std::to_string(server_->ports().grpc)).c_str(), 1);
    ::setenv("ARCA_SCHEDULE_DELAY", "20ms", 1);
  }
  void TearDown() override {
    stopping_ = true;
    thread_.join();
    ::unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
    ::unsetenv("ARCA_SCHEDULE_DELAY");
  }
  void configure(const std::string& yaml) const { std::ofstream(config_, std::ios::trunc) << yaml; }
  void log(const std::string& name, const std::string& line) const {
    std::ofstream(directory_ / name, std::ios::app) << line << '\n';
  }
  std::string follow(const std::string& name) const {
    return "host: {enabled: false}\nlogs:\n  files:\n    - {path: " + (directory_ / name) + ", start_at: beginning}\n";
  }
  // Log records that the Collector has taken, as other processes see it.
  [[nodiscard]] bool has_delivered(int count) const {
    return support::wait_until([&] {
      const Outcome outcome = run({"status", "--state", state_, "--json", "--sample", "0"});
      const Json report = Json::parse(outcome.out, nullptr, false);
      return !report.is_discarded() && report.contains("signals") && report["signals"]["logs"]["delivered"] >= count;
    });
  }

  support::TemporaryDirectory directory_;
  std::string state_ = directory_ / "state";
  std::string config_ = directory_ / "agent.yaml";
  os::SystemClock clock_;
  sink::EventLoop loop_{clock_};
  std::unique_ptr<sink::SinkServer> server_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

TEST_F(AgentCommandTest, SighupReadsTheConfigurationAgainAndABadOneChangesNothing) {
  configure(follow("a.log"));
  log("a.log", "one");
  support::SharedText said;
  std::thread host([&] {
    EXPECT_TRUE(has_delivered(1));
    configure(follow("b.log"));
    ::kill(::getpid(), SIGHUP);
    log("b.log", "two");
    EXPECT_TRUE(has_delivered(2));
    configure("rubbish: true");
    ::kill(::getpid(), SIGHUP);
    log("b.log", "three");
    EXPECT_TRUE(has_delivered(3));
    EXPECT_TRUE(support::wait_until([&] { return said.text().find("configuration refused") != std::string::npos; }));
    ::kill(::getpid(), SIGTERM);
  });
  std::ostringstream out;
  std::ostream err(&said);
  Console console(out, err, false, false);
  EXPECT_EQ(run_command_line({"agent", "--config", config_, "--state", state_}, console), 0);
  host.join();
  EXPECT_TRUE(said.text().find("configuration read again") != std::string::npos);
}

TEST_F(AgentCommandTest, LogsThatComeByAReloadAreLockedLikeThoseOfTheStart) {
  configure("host: {enabled: false}\nprobes:\n  - {url: 'http://127.0.0.1:9/'}\n");
  std::thread host([&] {
    EXPECT_TRUE(support::wait_until([&] { return ::access(state_.c_str(), F_OK) == 0; }));
    configure(follow("a.log"));
    log("a.log", "one");
    // The signal may come before the agent listens to it only if the state directory is older than that.
    EXPECT_TRUE(support::wait_until([&] {
      ::kill(::getpid(), SIGHUP);
      const Outcome outcome = run({"status", "--state", state_, "--json", "--sample", "0"});
      const Json report = Json::parse(outcome.out, nullptr, false);
      return !report.is_discarded() && report.contains("signals") && report["signals"]["logs"]["delivered"] >= 1;
    }));
    EXPECT_EQ(run({"agent", "--log", directory_ / "a.log", "--state", state_, "--once"}).code, 5);
    ::kill(::getpid(), SIGTERM);
  });
  const Outcome outcome = run({"agent", "--config", config_, "--state", state_});
  host.join();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

}  // namespace
}  // namespace arca::cli
