// What the journal promises while nothing is wrong.
#include <thread>

#include "journal/segment_format.hpp"
#include "journal_fixture.hpp"

namespace arca::journal {
namespace {

class JournalTest : public JournalFixture {};

TEST_F(JournalTest, GivesChunksInTheOrderInWhichTheyWereAppended) {
  append(1);
  append(2, 300, model::Signal::logs);
  append(3);
  EXPECT_THAT(contents(), ElementsAre(1, 2, 3));
}

TEST_F(JournalTest, GivesNothingWhenItIsEmpty) {
  EXPECT_EQ(claim(), 0U);
  EXPECT_EQ(journal().next_claim_at(model::SignalSet::all(), clock_.steady_now()), base::never);
}

TEST_F(JournalTest, HasEverythingAfterReopening) {
  for (std::uint64_t i = 1; i <= 40; ++i) append(i);
  settle(2);
  reopen();
  EXPECT_EQ(contents().size(), 39U);
  EXPECT_EQ(traces().journaled, 400U);
  EXPECT_EQ(traces().delivered, 10U);
  expect_law();
}

TEST_F(JournalTest, AnEmptyPayloadAndALargeOneComeBack) {
  append(1, 0);
  append(2, 100'000);
  reopen();
  EXPECT_THAT(contents(), ElementsAre(1, 2));
}

TEST_F(JournalTest, AClaimedChunkIsNotGivenTwice) {
  append(1);
  EXPECT_EQ(claim(), 1U);
  EXPECT_EQ(claim(), 0U);
}

TEST_F(JournalTest, AReleasedChunkComesBackWhenItsTimeHasCome) {
  append(1);
  append(2);
  EXPECT_EQ(claim(), 1U);
  const auto then = clock_.steady_now() + std::chrono::seconds(5);
  journal().release(id_of(1), then);
  EXPECT_EQ(claim(), 2U);
  EXPECT_EQ(claim(), 0U);
  EXPECT_EQ(journal().next_claim_at(model::SignalSet::all(), clock_.steady_now()), then);
  clock_.advance(std::chrono::seconds(5));
  const auto again = journal().claim(model::SignalSet::all(), clock_.steady_now());
  ASSERT_TRUE(again && *again);
  EXPECT_EQ((*again)->chunk.id, id_of(1));
  EXPECT_EQ((*again)->attempt_number, 2U);
}

TEST_F(JournalTest, OnlyTheSignalsAskedForAreGiven) {
  append(1);
  append(2, 300, model::Signal::logs);
  EXPECT_EQ(claim(model::SignalSet::only(model::Signal::logs)), 2U);
  EXPECT_EQ(claim(model::SignalSet::only(model::Signal::logs)), 0U);
}

TEST_F(JournalTest, MetricChunksLeaveStrictlyInOrder) {
  append(1, 300, model::Signal::metrics);
  append(2, 300, model::Signal::metrics);
  EXPECT_EQ(claim(), 1U);
  EXPECT_EQ(claim(), 0U);
  journal().release(id_of(1), clock_.steady_now() + std::chrono::seconds(1));
  EXPECT_EQ(claim(), 0U);
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(claim(), 1U);
  settle(1);
  EXPECT_EQ(claim(), 2U);
}

TEST_F(JournalTest, TheSameIdIsNotStoredTwice) {
  append(1);
  append(1);
  EXPECT_THAT(contents(), ElementsAre(1));
  EXPECT_EQ(traces().journaled, 10U);
}

TEST_F(JournalTest, SettlingWhatIsNotHereIsAnError) {
  append(1);
  settle(1);
  EXPECT_EQ(try_settle(1).error().code(), ErrorCode::not_found);
}

TEST_F(JournalTest, EachVerdictHasItsTotal) {
  for (std::uint64_t i = 1; i <= 3; ++i) append(i);
  settle(1, model::Verdict::delivered);
  settle(2, model::Verdict::parked);
  settle(3, model::Verdict::rejected);
  reopen();
  EXPECT_EQ(traces().delivered, 10U);
  EXPECT_EQ(traces().parked, 10U);
  EXPECT_EQ(traces().quarantined, 10U);
}

TEST_F(JournalTest, WhatTheCollectorRefusesIsQuarantinedOrLostAndTheRestIsDelivered) {
  for (std::uint64_t i = 1; i <= 4; ++i) append(i);
  const auto settle_refused = [this](std::uint64_t sequence, model::Verdict verdict, model::Tier tier) {
    model::Ack ack;
    ack.chunk_id = id_of(sequence);
    ack.verdict = verdict;
    ack.tier = tier;
    ack.refused_item_count = verdict == model::Verdict::delivered ? 4 : 0;
    EXPECT_TRUE(journal().settle(ack));
  };
  settle_refused(1, model::Verdict::rejected, model::Tier::journal);
  settle_refused(2, model::Verdict::rejected, model::Tier::none);
  settle_refused(3, model::Verdict::delivered, model::Tier::journal);
  settle_refused(4, model::Verdict::delivered, model::Tier::none);
  for (int i = 0; i < 3; ++i) {  // as counted, as read from the records, and as read from an index
    EXPECT_EQ(traces().delivered, 12U);
    EXPECT_EQ(traces().quarantined, 14U);
    EXPECT_EQ(traces().lost, 14U);
    expect_law();
    i == 0 ? crash() : reopen();
  }
}

TEST_F(JournalTest, SegmentsGoWhenAllInThemIsSettledAndTheTotalsStay) {
  for (std::uint64_t i = 1; i <= 200; ++i) append(i);
  EXPECT_GT(segments().size(), 10U);
  for (std::uint64_t i = 1; i <= 200; ++i) settle(i);
  EXPECT_LE(segments().size(), 2U);
  reopen();
  EXPECT_EQ(traces().journaled, 2000U);
  EXPECT_EQ(traces().delivered, 2000U);
  EXPECT_EQ(journal().backlog().chunk_count, 0U);
  expect_law();
}

TEST_F(JournalTest, ASettlementIsKeptAsLongAsItsChunkIsOnDisk) {
  for (std::uint64_t i = 1; i <= 60; ++i) append(i);
  for (std::uint64_t i = 2; i <= 60; ++i) settle(i);
  for (std::uint64_t i = 61; i <= 120; ++i) append(i);
  for (std::uint64_t i = 61; i <= 120; ++i) settle(i);
  crash();
  EXPECT_THAT(contents(), ElementsAre(1));
}

TEST_F(JournalTest, TheBudgetIsNeverExceededAndRoomComesBack) {
  options_.size_max = 64U << 10U;
  std::uint64_t count = 0;
  while (try_append(count + 1)) {
    ++count;
    EXPECT_LE(journal().size(), options_.size_max);
  }
  EXPECT_GT(count, 100U);
  EXPECT_EQ(try_append(count + 1).error().code(), ErrorCode::full);
  EXPECT_FALSE(journal().has_room_for(300));
  for (std::uint64_t i = 1; i <= 40; ++i) settle(i);
  EXPECT_TRUE(journal().has_room_for(300));
  append(count + 1);
  EXPECT_LE(journal().size(), options_.size_max);
}

TEST_F(JournalTest, IdsBeyondThirtyTwoBitsAreKept) {
  const std::uint64_t large = (1ULL << 40U) + 7;
  append(large);
  append(large + (1ULL << 32U));
  reopen();
  EXPECT_THAT(contents(), ElementsAre(large, large + (1ULL << 32U)));
}

TEST_F(JournalTest, TheWakerIsCalledWhenSomethingCanBeClaimed) {
  int calls = 0;
  journal().set_waker([&] { ++calls; });
  append(1, 300, model::Signal::metrics);
  EXPECT_EQ(calls, 1);
  settle(1);
  EXPECT_EQ(calls, 2);
}

TEST_F(JournalTest, TheBacklogTellsCountBytesItemsAndAge) {
  append(7);
  append(8, 100, model::Signal::logs);
  const model::Backlog backlog = journal().backlog();
  EXPECT_EQ(backlog.chunk_count, 2U);
  EXPECT_EQ(backlog.bytes, 400U);
  EXPECT_EQ(backlog.item_count[0], 10U);
  EXPECT_EQ(backlog.item_count[2], 10U);
  EXPECT_EQ(backlog.oldest, base::WallTime(std::chrono::seconds(7)));
  EXPECT_TRUE(journal().holds(model::Signal::logs));
  EXPECT_FALSE(journal().holds(model::Signal::metrics));
}

TEST_F(JournalTest, AClockThatJumpsChangesNeitherOrderNorContents) {
  append(1);
  clock_.jump_wall(-std::chrono::hours(24 * 365 * 50));
  for (std::uint64_t i = 2; i <= 30; ++i) append(i);
  clock_.jump_wall(std::chrono::hours(24 * 365 * 100));
  append(31);
  reopen();
  const auto all = contents();
  EXPECT_EQ(all.size(), 31U);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
}

TEST_F(JournalTest, ASegmentClosedInOrderIsOpenedWithoutReadingItsPayloads) {
  for (std::uint64_t i = 1; i <= 4; ++i) append(i, 900);
  journal_.reset();
  std::vector<std::byte> bytes = files_.contents(segments()[0]);
  bytes[first_record_offset + record_header_size + 500] ^= std::byte{1};
  files_.set_contents(segments()[0], bytes);
  EXPECT_EQ(journal().damage().skipped_record_count, 0U);  // found when it is claimed, not before
  EXPECT_THAT(contents(), ElementsAre(2, 3, 4));
  EXPECT_EQ(journal().damage().skipped_record_count, 1U);
}

TEST_F(JournalTest, ManyThreadsAppendClaimAndSettleAtOnce) {
  options_.size_max = 64U << 20U;
  options_.segment_size = 64U << 10U;
  options_.durability = Durability::power;
  Journal& journal = this->journal();
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&journal, t] {
      for (std::uint64_t i = 1; i <= 200; ++i) EXPECT_TRUE(journal.append(chunk_of(t * 1000 + i)));
    });
  }
  threads.emplace_back([&] {
    for (int settled = 0; settled < 400;) {
      const auto claimed = journal.claim(model::SignalSet::all(), clock_.steady_now());
      if (!claimed || !*claimed) {
        std::this_thread::yield();
        continue;
      }
      model::Ack ack;
      ack.chunk_id = (*claimed)->chunk.id;
      ack.verdict = model::Verdict::delivered;
      EXPECT_TRUE(journal.settle(ack));
      ++settled;
    }
  });
  threads.clear();
  EXPECT_EQ(journal.backlog().chunk_count, 400U);
  expect_law();
}

}  // namespace
}  // namespace arca::journal
