// A process with a Cassandra forks: parent and child both go on recording, each with a connection of its own.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "integration/cassandra_fixture.hpp"
#include "support/fork_quiet.hpp"

namespace arca::integration {
namespace {

constexpr std::size_t child_span_count = 700;

class CassandraFork : public CassandraFixture {
 protected:
  // The sockets of this process that are connected to the node, by the numbers that the kernel never gives twice.
  std::set<std::string> connections() const {
    std::set<std::string> held;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const std::string what = std::filesystem::read_symlink(entry.path(), gone);
      if (what.starts_with("socket:[")) held.insert(what.substr(8, what.size() - 9));
    }
    char to_node[16];
    std::snprintf(to_node, sizeof to_node, ":%04X", static_cast<unsigned>(node_->port()));
    std::set<std::string> found;
    std::ifstream table("/proc/self/net/tcp");
    for (std::string line; std::getline(table, line);) {
      std::istringstream words(line);
      std::string place, here, there, state, skipped, inode;
      words >> place >> here >> there >> state;
      for (int i = 0; i < 5; ++i) words >> skipped;
      words >> inode;
      if (state == "01" && there.ends_with(to_node) && held.contains(inode)) found.insert(inode);
    }
    return found;
  }

  // The life of the child, which writes the ids of its spans. What it returns is its exit code.
  int live_as_child(const std::set<std::string>& inherited, int ids) {
    accepted_.clear();
    record_spans(child_span_count);
    std::string said;
    for (const std::string& id : accepted_) said += id;
    if (::write(ids, said.data(), said.size()) != static_cast<ssize_t>(said.size())) return 2;
    if (!wait_for_status([](const Status& status) { return status.traces.parked >= child_span_count; })) return 3;
    bool has_own = false;
    for (const std::string& socket : connections()) has_own = has_own || !inherited.contains(socket);
    if (!has_own) return 4;
    if (!telemetry_->status().holds()) return 5;
    telemetry_->shutdown(seconds(5));
    return 0;
  }
};

TEST_F(CassandraFork, ParentAndChildParkTheirOwnEachOverItsOwnConnectionAndEverySpanArrivesOnce) {
  const QuickTiming quick;  // should a segment stay unsealed on a busy machine
  ASSERT_TRUE(collector_->kill().has_value());
  Config made = with_cassandra();
  made.recovery.enabled = false;  // nobody delivers until both have parked
  made.cassandra.recovery = false;
  start(made);
  await_ready();
  record_spans(500);
  ASSERT_TRUE(wait_for_status([](const Status& status) { return status.traces.parked >= 500; }))
      << to_json(telemetry_->status());
  const std::set<std::string> before = connections();
  EXPECT_FALSE(before.empty());
  int ids[2];
  ASSERT_EQ(::pipe(ids), 0);
  EXPECT_TRUE(support::rest_before_fork());
  const pid_t child = ::fork();
  if (child == 0) ::_exit(live_as_child(before, ids[1]));
  ::close(ids[1]);
  record_spans(600);
  ASSERT_TRUE(wait_for_status([](const Status& status) { return status.traces.parked >= 1100; }))
      << to_json(telemetry_->status());
  EXPECT_EQ(connections(), before) << "the child has left the parent's alone";

  std::string said;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(ids[0], buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(n));
  ::close(ids[0]);
  int ended = -1;
  const bool has_ended = support::wait_until([&] { return ::waitpid(child, &ended, WNOHANG) == child; }, patience);
  if (!has_ended) ::kill(child, SIGKILL);
  ASSERT_TRUE(has_ended) << "the child hangs";
  EXPECT_EQ(ended, 0) << "exit code " << WEXITSTATUS(ended);
  ASSERT_EQ(said.size(), child_span_count * 16);
  for (std::size_t i = 0; i < said.size(); i += 16) accepted_.insert(said.substr(i, 16));
  EXPECT_EQ(accepted_.size(), 1100 + child_span_count);
  expect_law();
  stop();

  ASSERT_TRUE(collector_->restart().has_value());
  start(with_cassandra());
  expect_all_arrived("a fork while everything is parked");
  expect_no_duplicates();
}

}  // namespace
}  // namespace arca::integration
