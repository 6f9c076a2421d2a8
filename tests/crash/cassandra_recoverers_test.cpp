// Recoverers side by side, recoverers that freeze and wake too late, and a host that is lost with all that lay on it.
#include "crash/cassandra_harness.hpp"
#include "support/tcp_proxy.hpp"

namespace arca::crash {
namespace {

TEST(CassandraRecoverers, TwoAtOnceShareTheWorkAndSendNothingTwice) {
  CassandraHarness harness;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(harness.base().run(harness.parking_trial(400))) << "not all was parked";
  harness.base().sink().behave("ok");
  // Neither sees the files of the dead: what they deliver is what lies in Cassandra.
  const std::string elsewhere = harness.base().directory() / "elsewhere";
  const std::string nowhere = harness.base().directory() / "nowhere";
  const Recoverer first = harness.start_recoverer("none", 1, "kill", elsewhere);
  const Recoverer second = harness.start_recoverer("none", 1, "kill", nowhere);
  harness.expect_end(first);
  harness.expect_end(second);
  const Tally tally = harness.base().judge();
  EXPECT_EQ(tally.duplicates, 0U) << "leases keep them apart\n" << first.log() << second.log();
  report("two recoverers at once", tally);
}

TEST(CassandraRecoverers, OneThatFreezesAndWakesWhenItsLeaseIsGoneHarmsNothing) {
  CassandraHarness harness;
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(harness.base().run(harness.parking_trial(1500))) << "not all was parked";
  harness.base().sink().behave("ok");
  const std::string elsewhere = harness.base().directory() / "elsewhere";
  Recoverer frozen = harness.start_recoverer("replay.chunk.delivered", 3, "stop", elsewhere);
  ASSERT_TRUE(support::wait_until([&] { return frozen.passings() >= 3; }, point_deadline)) << frozen.log();
  frozen.process->pause();  // it has stopped itself; this waits for its last thread
  harness.recover();        // takes over when the lease has ended, and has no lease of its own to wait for after
  frozen.process->send_signal(SIGCONT);
  harness.expect_end(frozen);
  report("recoverer frozen past its lease, then awake", harness.base().judge());
}

TEST(CassandraRecoverers, OneThatComesAfterTheChunksHaveEndedSaysThatTheyAreLostAndCallsNothingDelivered) {
  CassandraHarness harness;
  harness.set_chunk_ttl(8);  // longer than a segment is waited for, in quick_timing.hpp
  EXPECT_TRUE(harness.base().run(harness.parking_trial(200))) << "not all was parked";
  const auto is_over = [&] { return harness.rows("segment", "overflow_chunks").empty(); };
  ASSERT_TRUE(support::wait_until(is_over, point_deadline));
  harness.base().sink().behave("ok");
  const Recoverer late = harness.start_recoverer("none", 1, "kill", harness.base().directory() / "elsewhere");
  const auto ended = late.process->wait(point_deadline);
  ASSERT_TRUE(ended.has_value()) << late.log();
  EXPECT_EQ(ended->code, 3) << "records are lost: " << late.log();
  for (const auto& row : harness.rows("replayed_spans", "overflow_segments")) {
    const auto& found = row.at("replayed_spans");
    EXPECT_TRUE(found.is_null() || found == 0) << "a writer would count it as delivered";
  }
}

TEST(CassandraRecoverers, ALostHostTakesNoMoreThanItsStatusSaid) {
  CassandraHarness harness;
  auto proxy = support::TcpProxy::start(harness.node().contact_points().front(), harness.node().port());
  ASSERT_TRUE(proxy.has_value()) << proxy.error().message();
  Trial trial = harness.trial(harness.node().contact_points().front() + ":" + std::to_string((*proxy)->port()));
  trial.records = 6000;
  trial.pause_every = 1;  // so that it still records when the first of it is parked
  std::uint64_t parked = 0, unreplicated = 0, seen_at = 0;
  trial.until = [&](const Promises& told) {
    // When a part of it is in Cassandra, the line is cut; the rest is recorded all the same.
    if (told.parked >= 1500) (*proxy)->set_mode(support::TcpProxy::Mode::hold);
    if (told.accepted[0] + told.accepted[1] < 2 * trial.records) return false;
    if (seen_at == 0) seen_at = told.status_number + 2;  // one that was read after all was accepted
    if (told.status_number < seen_at) return false;
    EXPECT_EQ(told.law_holds, 1U);
    parked = told.parked;
    unreplicated = told.unreplicated;
    return true;
  };
  ASSERT_TRUE(harness.base().run(trial)) << "the writer did not get there";
  EXPECT_EQ(parked + unreplicated, 2 * trial.records);
  EXPECT_GE(parked, 1500U) << "or the test shows nothing";
  EXPECT_GT(unreplicated, 0U) << "or the test shows nothing";
  harness.lose_host();
  harness.base().sink().behave("ok");
  harness.recover_from(harness.base().directory() / "another_host");
  const Tally tally = harness.base().judge(true);
  EXPECT_GE(tally.accepted - tally.missing, parked) << "everything that Cassandra acknowledged arrives";
  report("host lost (status() said " + std::to_string(unreplicated) + ")", tally, unreplicated);
}

}  // namespace
}  // namespace arca::crash
