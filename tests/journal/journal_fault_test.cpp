// Full disks, failing syncs, dying processes, lost power; and random sequences of all of it against a simple list.
#include <cstdlib>
#include <iostream>

#include "journal/quarantine.hpp"
#include "journal_fixture.hpp"
#include "os/random.hpp"

namespace arca::journal {
namespace {

using fakes::Operation;

class JournalFaultTest : public JournalFixture {};

TEST_F(JournalFaultTest, AFullDiskRefusesAndEverythingStoredStays) {
  files_.set_capacity(20'000);
  std::uint64_t count = 0;
  while (try_append(count + 1)) ++count;
  EXPECT_GT(count, 20U);
  EXPECT_EQ(try_append(count + 1).error().code(), ErrorCode::full);
  EXPECT_EQ(contents().size(), count);
  files_.set_capacity(1U << 20U);
  append(count + 1);
  reopen();
  EXPECT_EQ(contents().size(), count + 1);
  expect_law();
}

TEST_F(JournalFaultTest, SettlingWorksOnAFullDiskAndMakesRoom) {
  files_.set_capacity(20'000);
  std::uint64_t count = 0;
  while (try_append(count + 1)) ++count;
  files_.set_capacity(0);  // not one byte more
  for (std::uint64_t i = 1; i <= count; ++i) settle(i);
  EXPECT_LE(segments().size(), 1U);
  crash();
  EXPECT_THAT(contents(), IsEmpty());
  EXPECT_EQ(traces().delivered, count * 10);
  expect_law();
}

TEST_F(JournalFaultTest, SettlingWorksOnAFullDiskAfterACrash) {
  files_.set_capacity(20'000);
  std::uint64_t count = 0;
  while (try_append(count + 1)) ++count;
  crash();
  files_.set_capacity(0);
  EXPECT_EQ(contents().size(), count);
  for (std::uint64_t i = count; i >= 1; --i) settle(i);
  crash();
  EXPECT_THAT(contents(), IsEmpty());
  EXPECT_EQ(traces().delivered, count * 10);
}

TEST_F(JournalFaultTest, AppendedChunksAreSyncedWithPowerDurability) {
  options_.durability = Durability::power;
  for (std::uint64_t i = 1; i <= 50; ++i) append(i);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    lose_power(seed);
    ASSERT_EQ(contents().size(), 50U) << "seed " << seed;
    expect_law();
  }
}

TEST_F(JournalFaultTest, AfterAPowerLossOnlyUnsyncedChunksAreMissingAndTheRestIsGiven) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    for (std::uint64_t i = 1; i <= 30; ++i) append(seed * 100 + i);
    ASSERT_TRUE(journal().sync());
    for (std::uint64_t i = 31; i <= 40; ++i) append(seed * 100 + i);
    lose_power(seed);
    const auto left = contents();
    ASSERT_GE(left.size(), 30U) << "seed " << seed;
    expect_law();
    for (const std::uint64_t sequence : left) settle(sequence);
  }
}

// A host that is out of file descriptors for an hour, and a disk that reads again after a while: no damage.
TEST_F(JournalFaultTest, AChunkThatCannotBeReadNowIsKeptHoweverOftenItWasSent) {
  for (const Operation broken : {Operation::open, Operation::read}) {
    append(1);
    for (int i = 0; broken == Operation::read && i < 5; ++i) {  // the Collector refuses it
      ASSERT_EQ(claim(), 1U);
      journal().release(id_of(1), clock_.steady_now());
    }
    files_.fail_when([&](Operation operation, const std::string&) { return operation == broken; });
    const int turns = broken == Operation::open ? 3600 : 600;
    for (int i = 0; i < turns; ++i) {
      const auto claim = journal().claim(model::SignalSet::all(), clock_.steady_now());
      ASSERT_TRUE(!claim || !*claim);
      clock_.advance(std::chrono::seconds(1));
    }
    files_.heal();
    clock_.advance(std::chrono::minutes(1));
    EXPECT_EQ(contents(), (std::vector<std::uint64_t>{1}));
    EXPECT_EQ(traces().lost, 0U);
    settle(1);
  }
}

TEST_F(JournalFaultTest, WhatTheDeviceNeverReadsIsGivenUpAndItsSegmentKept) {
  append(1);
  reopen();
  files_.fail_when([](Operation operation, const std::string& path) {
    return operation == Operation::read && path.ends_with(".segment");
  });
  for (int i = 0; i < 7200 && traces().lost == 0; ++i) {
    static_cast<void>(journal().claim(model::SignalSet::all(), clock_.steady_now()));
    clock_.advance(std::chrono::seconds(1));
  }
  EXPECT_EQ(traces().lost, 10U);
  files_.heal();
  for (std::uint64_t i = 2; i <= 30; ++i) {  // the segment would be removed by now
    append(i);
    settle(i);
  }
  EXPECT_FALSE(kept_aside().empty());
  expect_law();
}

TEST_F(JournalFaultTest, AfterOneFailedSyncTheChunkIsWrittenAnewAndNothingIsLost) {
  options_.durability = Durability::power;
  for (std::uint64_t i = 1; i <= 5; ++i) append(i);
  bool has_failed = false;
  files_.fail_when([&](Operation operation, const std::string&) {
    return operation == Operation::sync && !std::exchange(has_failed, true);
  });
  const std::string poisoned = segments().back();
  append(6);
  EXPECT_TRUE(has_failed);
  EXPECT_EQ(journal().damage().failed_sync_count, 1U);
  EXPECT_NE(segments().back(), poisoned);
  const auto bytes = files_.contents(poisoned);
  append(7);
  EXPECT_EQ(files_.contents(poisoned), bytes);  // never written again
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    lose_power(seed);
    EXPECT_EQ(contents().size(), 7U);
    EXPECT_EQ(traces().journaled, 70U);
    expect_law();
  }
}

// Of the first one the header may reach the disk, and not the payload.
TEST_F(JournalFaultTest, AfterAFailedSyncAndAPowerLossTheCopyIsGivenAndNotWhatIsLeftOfTheFirst) {
  options_.durability = Durability::power;
  options_.size_max = 16U << 20U;
  options_.segment_size = 4U << 20U;
  reopen();
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    append(2 * seed, 20'000);
    bool has_failed = false;
    files_.fail_when([&](Operation operation, const std::string&) {
      return operation == Operation::sync && !std::exchange(has_failed, true);
    });
    append(2 * seed + 1, 20'000);
    EXPECT_TRUE(has_failed);
    files_.heal();
    lose_power(seed);
    ASSERT_EQ(contents(), (std::vector<std::uint64_t>{2 * seed, 2 * seed + 1}));
    EXPECT_EQ(traces().lost, 0U);
    settle(2 * seed);
    settle(2 * seed + 1);
  }
}

// Nobody was promised what its writer was just appending when it died; whoever opens the journal next may give the
// segment up without having written to it.
TEST_F(JournalFaultTest, ATornTailInASegmentThatWasGivenUpIsNoChunk) {
  options_.durability = Durability::power;
  options_.size_max = 16U << 20U;
  options_.segment_size = 4U << 20U;
  reopen();
  append(1, 20'000);
  std::uint64_t next = 2;
  for (std::uint64_t n = 1; n <= 4; ++n) {  // before, in and behind its write
    files_.die_at_operation(n);
    const bool is_promised = try_append(next, 20'000).has_value();
    files_.restart();
    files_.die_at_operation(0);
    reopen();
    bool has_failed = false;
    files_.fail_when([&](Operation operation, const std::string&) {
      return operation == Operation::sync && !std::exchange(has_failed, true);
    });
    static_cast<void>(journal().sync());
    files_.heal();
    append(next + 1, 20'000);
    reopen();
    EXPECT_TRUE(!is_promised || journal().contains(id_of(next)));
    static_cast<void>(contents());
    EXPECT_EQ(traces().lost, 0U) << "died in operation " << n;
    next += 2;
  }
}

TEST_F(JournalFaultTest, AFullDiskIsNoFullQuarantine) {
  ASSERT_TRUE(keep_in_quarantine(journal(), chunk_of(1, 1000, model::Signal::logs)));
  files_.fail_when([](Operation operation, const std::string&) { return operation != Operation::read; },
                   ErrorCode::full);
  const auto waits = keep_in_quarantine(journal(), chunk_of(2, 1000, model::Signal::logs));
  ASSERT_FALSE(waits);
  EXPECT_EQ(waits.error().code(), ErrorCode::unavailable);
  files_.heal();
  Result<void> kept;
  for (std::uint64_t i = 3; kept && i < 10'000; ++i) {
    kept = keep_in_quarantine(journal(), chunk_of(i, 1000, model::Signal::logs));
  }
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code(), ErrorCode::full);
}

TEST_F(JournalFaultTest, ADeviceThatNeverSyncsIsReportedAndBounded) {
  options_.durability = Durability::power;
  append(1);
  files_.fail_when([&](Operation operation, const std::string&) { return operation == Operation::sync; });
  for (std::uint64_t i = 2; i <= 200; ++i) {
    const auto appended = try_append(i);
    ASSERT_FALSE(appended);
    ASSERT_EQ(appended.error().code(), ErrorCode::poisoned);
    ASSERT_LE(journal().size(), 2 * options_.size_max);
  }
  files_.heal();
  for (std::uint64_t i = 2; i <= 200; ++i) append(i);
  lose_power(7);
  EXPECT_EQ(contents().size(), 200U);
  expect_law();
}

TEST_F(JournalFaultTest, AFailedWriteGivesUpTheSegmentAndNothingElse) {
  for (std::uint64_t i = 1; i <= 3; ++i) append(i);
  bool has_failed = false;
  files_.fail_when([&](Operation operation, const std::string&) {
    return operation == Operation::write && !std::exchange(has_failed, true);
  });
  EXPECT_FALSE(try_append(4));
  append(4);
  reopen();
  EXPECT_THAT(contents(), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(traces().journaled, 40U);
}

TEST_F(JournalFaultTest, ASettlementThatCouldNotBeWrittenIsWrittenWhenAskedAgain) {
  append(1);
  append(2);
  files_.fail_when([](Operation operation, const std::string&) { return operation == Operation::write; });
  ASSERT_FALSE(try_settle(1));
  ASSERT_FALSE(try_settle(1));
  files_.heal();
  EXPECT_TRUE(try_settle(1));
  crash();
  EXPECT_THAT(contents(), ElementsAre(2));
}

// The process is killed in each of the operations of a little history, halfway through the write if it is one.
TEST_F(JournalFaultTest, KilledInAnyOperationItLosesNothingThatItAcknowledged) {
  options_.segment_size = 2048;
  bool has_ended = false;
  std::uint64_t n = 0;
  while (!has_ended) {
    ++n;
    ASSERT_LT(n, 5000U);
    files_.die_at_operation(n);
    std::vector<std::uint64_t> acknowledged;
    std::vector<std::uint64_t> asked_to_settle;
    if (try_open()) {
      for (std::uint64_t i = 1; i <= 30; ++i) {
        if (journal_->append(chunk_of(i))) acknowledged.push_back(i);
        if (i % 3 != 0) continue;
        asked_to_settle.push_back(i - 1);
        static_cast<void>(try_settle(i - 1));
      }
    }
    journal_.reset();
    has_ended = !files_.is_dead();
    crash();
    const auto left = contents();
    for (const std::uint64_t sequence : acknowledged) {
      const bool is_there = std::find(left.begin(), left.end(), sequence) != left.end();
      const bool may_be_gone =
          std::find(asked_to_settle.begin(), asked_to_settle.end(), sequence) != asked_to_settle.end();
      ASSERT_TRUE(is_there || may_be_gone) << "chunk " << sequence << ", killed in operation " << n;
    }
    ASSERT_EQ(journal().damage().skipped_record_count, 0U) << "killed in operation " << n;
    ASSERT_EQ(traces().lost, 0U);
    expect_law();
    journal_.reset();
    for (const std::string& path : files_.paths()) static_cast<void>(files_.remove(path));
  }
  EXPECT_GT(n, 100U);
}

// The journal against a map of what it must hold. Set ARCA_MODEL_SEEDS to run more.
class JournalModelTest : public JournalFixture {
 protected:
  void run(std::uint64_t seed) {
    os::SeededRandom random(seed);
    options_.segment_size = 1024 + random.next() % 8192;
    options_.durability = random.next() % 2 == 0 ? Durability::process : Durability::power;
    std::map<std::uint64_t, bool> here;  // sequence -> must it be here (or may its settlement have been lost)
    std::uint64_t next = 1;
    std::uint64_t delivered = 0;
    for (int step = 0; step < 150; ++step) {
      const std::uint64_t action = random.next() % 100;
      if (action < 50) {
        append(next, random.next() % 700, model::all_signals[random.next() % 3]);
        here[next++] = true;
      } else if (action < 80 && !here.empty()) {
        auto chosen = here.begin();
        std::advance(chosen, static_cast<std::ptrdiff_t>(random.next() % std::min<std::size_t>(here.size(), 4)));
        settle(chosen->first);
        ++delivered;
        here.erase(chosen);
      } else if (action < 88) {
        reopen();
      } else if (action < 96) {
        crash();
      } else if (options_.durability == Durability::power) {
        ASSERT_TRUE(journal().sync());
        lose_power(random.next());
      }
      const model::Backlog backlog = journal().backlog();
      ASSERT_EQ(backlog.chunk_count, here.size()) << "seed " << seed << " step " << step;
      for (const auto& [sequence, must] : here) ASSERT_TRUE(journal().contains(id_of(sequence)));
      expect_law();
      ASSERT_FALSE(HasFailure()) << "seed " << seed << " step " << step;
    }
    std::uint64_t total = 0;
    for (const model::SignalTotals& of : journal().totals()) {
      total += of.delivered;
      ASSERT_EQ(of.lost, 0U);
    }
    ASSERT_EQ(total, delivered * 10) << "seed " << seed;
    journal_.reset();
    for (const std::string& path : files_.paths()) static_cast<void>(files_.remove(path));
    ASSERT_TRUE(files_.sync_directory("/state/journal"));
  }
};

TEST_F(JournalModelTest, HoldsWhatTheListHolds) {
  const char* const wanted = std::getenv("ARCA_MODEL_SEEDS");
  const std::uint64_t count = wanted == nullptr ? 300 : std::strtoull(wanted, nullptr, 10);
  const std::uint64_t first = wanted == nullptr ? 1 : os::random_from_kernel() >> 1U;
  std::cout << "seeds " << first << " to " << first + count - 1 << '\n';
  for (std::uint64_t seed = first; seed < first + count && !HasFatalFailure(); ++seed) run(seed);
}

}  // namespace
}  // namespace arca::journal
