// Killed with SIGKILL, at random and at every named point, in recovery too: what was accepted arrives, and what comes
// twice carries the same chunk id. ARCA_CRASH_TRIALS sets the number of random trials (200; the soak asks for 10,000).
#include <gtest/gtest.h>

#include "crash/crash_harness.hpp"

namespace arca::crash {
namespace {

std::uint64_t trial_count(std::uint64_t share_of_200) {
  const char* given = std::getenv("ARCA_CRASH_TRIALS");
  const std::uint64_t all = given != nullptr ? std::strtoull(given, nullptr, 10) : 200;
  return std::max<std::uint64_t>(1, all * share_of_200 / 200);
}

TEST(Kill, AtRandomMomentsLosesNothing) {
  Harness harness;
  for (std::uint64_t i = 0; i < trial_count(120); ++i) {
    Trial trial;
    trial.threads = 1 + harness.random()() % 4;
    harness.run(trial);
  }
  harness.recover();
  const Tally tally = harness.judge();
  EXPECT_EQ(tally.missing, 0U);
  EXPECT_GT(tally.accepted, 10 * tally.trials);  // or the test proves nothing
}

TEST(Kill, WhileTheCollectorIsAwayLosesNothing) {
  Harness harness({}, true);
  for (std::uint64_t i = 0; i < trial_count(40); ++i) {
    Trial trial;
    trial.pause_every = 500;
    trial.more = {"--pool", "1048576"};  // small: the journal has to take most of it
    harness.run(trial);
  }
  harness.sink().behave("ok");
  harness.recover();
  const Tally tally = harness.judge();
  EXPECT_EQ(tally.missing, 0U);
  EXPECT_EQ(tally.duplicates, 0U);  // nothing was ever sent before
}

TEST(Kill, WhileTheCollectorFlapsLosesNothing) {
  Harness harness(
      {"--schedule", "0s ok; 300ms refuse; 600ms grpc unavailable ratio=0.7; 900ms close ratio=0.5; 1200ms repeat"});
  for (std::uint64_t i = 0; i < trial_count(40); ++i) harness.run({});
  harness.sink().behave("ok");
  harness.recover();
  EXPECT_EQ(harness.judge().missing, 0U);
}

TEST(Kill, OfRecoveryAgainAndAgainLosesNothing) {
  Harness harness({}, true);
  for (std::uint64_t i = 0; i < 3; ++i) {
    Trial trial;
    trial.pause_every = 500;
    trial.more = {"--pool", "1048576"};
    harness.run(trial);
  }
  harness.sink().behave("ok");
  for (std::uint64_t i = 0; i < trial_count(20); ++i) harness.recover_and_kill();
  harness.recover();
  EXPECT_EQ(harness.judge().missing, 0U);
}

// The other ways in which a process goes without a word.
class SuddenEnd : public ::testing::TestWithParam<const char*> {};

TEST_P(SuddenEnd, LosesNothing) {
  Harness harness({}, true);
  Trial trial;
  trial.records = 5000;
  trial.end = GetParam();
  harness.run(trial);
  harness.sink().behave("ok");
  harness.recover();
  const Tally tally = harness.judge();
  EXPECT_EQ(tally.accepted, 10'000U);
  EXPECT_EQ(tally.missing, 0U);
}

INSTANTIATE_TEST_SUITE_P(Ways, SuddenEnd, ::testing::Values("abort", "exec", "_exit"));

// Places in the pool and the journal where a crash is most awkward. A point that is never reached is a failure: the
// test would prove nothing.
class KillAtPoint : public ::testing::TestWithParam<const char*> {};

TEST_P(KillAtPoint, LosesNothingAlsoTwiceInARow) {
  const std::string point = GetParam();
  const bool journal = point.starts_with("journal.") || point.starts_with("spill.");
  Harness harness({}, journal);
  // A journal within its budget does not begin more than four segments. Large records fill the pool faster than the
  // dispatcher empties it and the segments soon, in slow builds too.
  for (const std::uint64_t nth : {1U, 2U, journal ? 3U : 7U}) {
    Trial trial;
    trial.point = point;
    trial.nth = nth;
    trial.threads = 3;
    trial.pause_every = journal ? 0 : 200;
    trial.padding = journal ? 8000 : 0;
    if (journal) trial.more = {"--pool", "1048576", "--journal", "100000000"};
    EXPECT_TRUE(harness.run(trial)) << point << " was not reached " << nth << " times";
    Trial again = trial;  // the next one dies in the middle of recovering the last one, or soon after
    again.nth = 1;
    EXPECT_TRUE(harness.run(again)) << point << " was not reached the second time";
  }
  harness.sink().behave("ok");
  harness.recover();
  EXPECT_EQ(harness.judge().missing, 0U);
}

INSTANTIATE_TEST_SUITE_P(Pool, KillAtPoint,
                         ::testing::Values("pool.range.sealed", "pool.border.half_written", "pool.verdict.marked",
                                           "pool.verdict.counted", "pool.chunk.counted", "pool.chunk.emptied",
                                           "pool.chunk.before_open", "pool.chunk.detached"));

INSTANTIATE_TEST_SUITE_P(Journal, KillAtPoint,
                         ::testing::Values("journal.chunk.before_write", "journal.chunk.written",
                                           "journal.segment.begun", "spill.appended"));

// Places that only a writer passes that delivers what its journal, or a dead writer, holds.
class KillInRecovery : public ::testing::TestWithParam<const char*> {};

TEST_P(KillInRecovery, LosesNothing) {
  const std::string point = GetParam();
  Harness harness({}, true);
  Trial backlog;  // dies when its journal holds some chunks
  backlog.point = "journal.chunk.written";
  backlog.nth = 10;
  backlog.pause_every = 0;
  backlog.padding = 8000;
  backlog.more = {"--pool", "1048576"};
  EXPECT_TRUE(harness.run(backlog));
  EXPECT_TRUE(harness.run(backlog));
  harness.sink().behave("ok");
  for (int i = 0; i < 2; ++i) {
    Trial trial;
    trial.point = point;
    trial.records = 200;
    EXPECT_TRUE(harness.run(trial)) << point << " was not reached";
  }
  harness.recover();
  EXPECT_EQ(harness.judge().missing, 0U);
}

INSTANTIATE_TEST_SUITE_P(Points, KillInRecovery,
                         ::testing::Values("journal.settle.before_write", "journal.settle.written",
                                           "writer.finish.noted", "writer.finish.pool_removed",
                                           "writer.finish.journal_removed"));

#if !defined(ARCA_SANITIZE_THREAD)  // its runtime cannot start threads in the child of a process that has threads
TEST(Fork, ChildrenAndGrandchildrenLoseAndRepeatNothingHoweverTheyEnd) {
  Harness harness;
  for (std::uint64_t i = 0; i < trial_count(10); ++i) {
    Trial trial;
    trial.children = 3;
    trial.kill_after_us_max = 200'000;
    harness.run(trial);
  }
  harness.recover();
  const Tally tally = harness.judge();
  EXPECT_EQ(tally.missing, 0U);
}
#endif

}  // namespace
}  // namespace arca::crash
