// The tier on three nodes with three copies, which are killed, paused and started again under load. The cases share one
// cluster, which takes its time to start, and follow one another: each says what state of the nodes it leaves.
#include <future>

#include "integration/cassandra_fixture.hpp"

namespace arca::integration {
namespace {

class CassandraCluster : public CassandraFixture {
 protected:
  static void SetUpTestSuite() {
    auto started = support::Cassandra::start({.nodes = 3});
    ASSERT_TRUE(started.has_value()) << started.error().message();
    cluster_ = std::move(*started);
  }
  static void TearDownTestSuite() { cluster_.reset(); }
  void SetUp() override {
    ASSERT_TRUE(cluster_) << "the cluster did not start";
    use(*cluster_, 3);
  }

  // Load, from this thread, while somebody does that to the nodes and until so many spans were recorded since.
  void load_during(const std::function<Result<void>()>& act, std::size_t at_least) {
    auto acting = std::async(std::launch::async, act);
    const std::size_t goal = accepted_.size() + at_least;
    while (acting.wait_for(milliseconds(0)) != std::future_status::ready || accepted_.size() < goal) {
      record_spans(20);
      std::this_thread::sleep_for(milliseconds(20));  // a rate, not a synchronisation
    }
    const auto done = acting.get();
    EXPECT_TRUE(done.has_value()) << done.error().message();
  }
  // What was recorded up to now gets a quorum, whatever happens to the third node.
  void expect_parked_on(const std::string& during) {
    const auto goal = accepted_.size();
    EXPECT_TRUE(wait_for_status([&](const Status& status) { return status.traces.parked >= goal; }))
        << during << ": " << to_json(telemetry_->status());
    expect_no_failed_put(during);
  }
  void expect_no_failed_put(const std::string& during) const {
    const Status status = telemetry_->status();
    EXPECT_EQ(status.cassandra.failure_count, 0U) << during << ": " << to_json(status);
    EXPECT_EQ(status.traces.in_journal, 0U) << during;
    EXPECT_TRUE(status.holds()) << during;
  }

  static std::unique_ptr<support::Cassandra> cluster_;
};
std::unique_ptr<support::Cassandra> CassandraCluster::cluster_;

TEST_F(CassandraCluster, OneNodeKilledOnePausedOneRestartedUnderLoadFailNoPutAndLoseNothing) {
  ASSERT_TRUE(collector_->kill().has_value());
  start(with_cassandra());
  await_ready();
  load_during([] { return Result<void>(); }, 500);
  expect_parked_on("all three serve");
  load_during([] { return cluster_->kill(1); }, 1000);
  expect_parked_on("node 1 killed");
  load_during([] { return cluster_->restart(1); }, 1000);
  expect_parked_on("node 1 started again");
  load_during(
      [] {
        const auto paused = cluster_->pause(2);
        if (!paused) return paused;
        std::this_thread::sleep_for(seconds(10));  // that long it is silent: the fault itself
        return cluster_->resume(2);
      },
      1000);
  expect_parked_on("node 2 paused for 10 s");
  load_during([] { return cluster_->restart(3); }, 1000);
  expect_parked_on("node 3 restarted");
  ASSERT_TRUE(collector_->restart().has_value());
  expect_all_arrived("one of three killed, one paused 10 s, one restarted, in turn");
  expect_law();
}

// Leaves node 2 dead.
TEST_F(CassandraCluster, TwoNodesDownSendItToTheJournalAndOnceTheyAreBackItMovesOn) {
  ASSERT_TRUE(collector_->kill().has_value());
  Config made = with_cassandra();
  made.pool_size = 1U << 20U;
  made.cassandra.request_timeout = seconds(3);
  start(made);
  await_ready();
  record_spans(500);
  expect_parked_on("all three serve");
  ASSERT_TRUE(cluster_->kill(2).has_value());
  ASSERT_TRUE(cluster_->pause(3).has_value());
  const auto parked = telemetry_->status().traces.parked;
  const auto fill = [&] {
    record_spans(100, 1000);
    return telemetry_->status().traces.in_journal >= 1000;
  };
  EXPECT_TRUE(support::wait_until(fill, patience)) << to_json(telemetry_->status());
  expect_law();
  EXPECT_LT(telemetry_->status().traces.parked, accepted_.size()) << "of two copies of three";
  EXPECT_GE(telemetry_->status().unreplicated_items, telemetry_->status().traces.in_journal);
  ASSERT_TRUE(cluster_->resume(3).has_value());
  ASSERT_TRUE(await_replicated()) << to_json(telemetry_->status());
  EXPECT_GT(telemetry_->status().traces.parked, parked) << "the journal is drained into Cassandra";
  EXPECT_EQ(telemetry_->status().traces.in_journal, 0U);
  ASSERT_TRUE(collector_->restart().has_value());
  expect_all_arrived("two of three down, then one of them back");
  expect_law();
}

TEST_F(CassandraCluster, AllNodesSilentFromTheStartAnApplicationStartsWorksAndStopsInTime) {
  for (const int node : {1, 3}) ASSERT_TRUE(cluster_->pause(node).has_value());
  ASSERT_TRUE(collector_->kill().has_value());
  const auto begin = std::chrono::steady_clock::now();
  start(with_cassandra());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(5)) << "nobody waits for Cassandra to start";
  record_spans(2000);
  expect_law();
  EXPECT_EQ(telemetry_->status().unreplicated_items, 2000U);
  const auto stop_begin = std::chrono::steady_clock::now();
  stop(seconds(3));
  EXPECT_LT(std::chrono::steady_clock::now() - stop_begin, seconds(4)) << "3 s were asked for";
  for (const int node : {1, 3}) ASSERT_TRUE(cluster_->resume(node).has_value());
  start(with_cassandra());  // the next life parks what the last one kept
  ASSERT_TRUE(wait_for_status([](const Status& status) {
    return status.cassandra.ready && status.cassandra.segments_known > 0;
  })) << to_json(telemetry_->status());
  ASSERT_TRUE(collector_->restart().has_value());
  expect_all_arrived("all nodes silent from the start to the end of a life");
}

// The pool lies on tmpfs: what is in it must be on disk in time, however long Cassandra keeps the end waiting.
TEST_F(CassandraCluster, AllNodesSilentAtTheEndWhatIsInThePoolIsOnDiskInTime) {
  start(with_cassandra());
  await_ready();
  ASSERT_TRUE(collector_->kill().has_value());
  record_spans(500);
  ASSERT_TRUE(await_replicated()) << to_json(telemetry_->status());
  for (const int node : {1, 3}) ASSERT_TRUE(cluster_->pause(node).has_value());
  record_spans(20'000);
  const auto stop_begin = std::chrono::steady_clock::now();
  stop(seconds(3));
  EXPECT_LT(std::chrono::steady_clock::now() - stop_begin, seconds(4)) << "3 s were asked for";
  const auto said = support::run_command({ARCA_PROGRAM, "status", "--json", "--state", directory_ / "state"});
  ASSERT_TRUE(said.has_value()) << said.error().message();
  const Json left = Json::parse(*said).at("signals").at("traces");
  EXPECT_EQ(left.at("in_memory"), 0) << left;
  EXPECT_GT(left.at("in_journal"), 0) << left;
  for (const int node : {1, 3}) ASSERT_TRUE(cluster_->resume(node).has_value());
  start(with_cassandra());
  ASSERT_TRUE(collector_->restart().has_value());
  expect_all_arrived("all nodes silent at the end of a life");
}

}  // namespace
}  // namespace arca::integration
