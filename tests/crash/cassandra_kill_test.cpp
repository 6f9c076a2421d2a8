// Killed with SIGKILL at every named point of parking in Cassandra, and of recovering from there: what was accepted
// arrives, and what comes twice carries the same chunk id. A point that is never reached is a failure.
#include "crash/cassandra_harness.hpp"

namespace arca::crash {
namespace {

TEST(CassandraKill, OfTheWriterAtEveryPointOfParkingLosesNothing) {
  CassandraHarness harness;
  for (const char* point :
       {"park.segment.before_open", "park.segment.opened", "park.chunk.sent", "park.chunk.acknowledged",
        "park.segment.before_seal", "park.segment.sealed", "park.rows.before_put", "park.rows.put"}) {
    Trial trial = harness.trial();
    trial.point = point;
    trial.nth = std::string(point).starts_with("park.chunk") ? 3 : 1;
    EXPECT_TRUE(harness.base().run(trial)) << point << " was not reached";
  }
  harness.base().sink().behave("ok");
  harness.recover();
  report("writer killed at each of 8 points of parking", harness.base().judge());
}

TEST(CassandraKill, OfTheRecovererAtEveryPointOfRecoveryLosesNothing) {
  CassandraHarness harness;
  bool is_first = true;
  for (const char* point : {"replay.lease.taken", "replay.chunks.read", "replay.chunk.delivered",
                            "replay.progress.before_write", "replay.progress.written"}) {
    harness.base().sink().behave("refuse");
    EXPECT_TRUE(harness.base().run(harness.parking_trial(300))) << "not all was parked";
    harness.base().sink().behave("ok");
    harness.kill_recoverer_at(point);
    if (std::exchange(is_first, false)) harness.kill_recoverer_at(point);  // the second one takes over from the first
  }
  harness.recover();
  report("recoverer killed at each of 5 points of recovery", harness.base().judge());
}

TEST(CassandraKill, OfTheRecovererDuringQuarantineKeepsEveryRejectedChunkOnce) {
  CassandraHarness harness;
  EXPECT_TRUE(harness.base().run(harness.parking_trial(300))) << "not all was parked";
  harness.base().sink().behave("grpc invalid_argument");
  harness.kill_recoverer_at("replay.quarantine.before_put");
  harness.kill_recoverer_at("replay.quarantine.put");
  harness.recover(1);
  std::set<std::pair<std::string, std::string>> chunks;
  std::uint64_t kept = 0;
  for (const auto& row : harness.rows("writer, sequence, items", "quarantine")) {
    if (chunks.emplace(row.at("writer").dump(), row.at("sequence").dump()).second) {
      kept += row.at("items").get<std::uint64_t>();
    }
  }
  support::report_fault({"recoverer killed during quarantine (arrived: kept there)", 600, kept, 0});
  const Tally tally = harness.base().judge(true);
  EXPECT_EQ(tally.missing, tally.accepted) << "what was rejected is never sent again by itself";
}

}  // namespace
}  // namespace arca::crash
