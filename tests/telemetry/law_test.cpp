// The law in the status of a live process, at the moments in which a chunk stands in two places: it lies in the journal
// already and the pool does not know it yet.
#include <thread>

#include "journal/journal.hpp"
#include "journal/pool_fixture.hpp"
#include "os/file_system.hpp"
#include "telemetry/pipeline.hpp"

namespace arca::telemetry {
namespace {

class LawTest : public journal::PoolTest {
 protected:
  LawTest() : pool_(make()) {
    journal::JournalOptions options;
    options.directory = directory_ / "journal";
    options.writer = pool_->writer();
    auto opened = journal::Journal::open(os::posix_file_system(), clock_, options);
    EXPECT_TRUE(opened);
    journal_ = std::move(*opened);
  }
  SignalStatus traces() {
    Status status;
    read_law(*pool_, *journal_, status);
    EXPECT_TRUE(status.holds()) << to_json(status);
    return status.traces;
  }
  static model::Ack parked(const model::Claim& claim) {
    model::Ack parked = ack(claim, model::Verdict::parked);
    parked.tier = model::Tier::journal;
    return parked;
  }
  model::Claim claim_sealed() {
    pool_->seal_all();
    return *claim(*pool_);
  }

  std::unique_ptr<journal::Pool> pool_;
  std::unique_ptr<journal::Journal> journal_;
};

TEST_F(LawTest, HoldsWhileAChunkMovesIntoTheJournal) {
  for (std::uint64_t i = 0; i < 10; ++i) append(*pool_, i);
  const model::Claim moving = claim_sealed();
  append(*pool_, 10);
  ASSERT_TRUE(journal_->append(moving.chunk));
  const SignalStatus before = traces();  // it counts where the verdict has not been entered yet
  EXPECT_EQ(before.in_memory, 11U);
  EXPECT_EQ(before.in_journal, 0U);
  ASSERT_TRUE(pool_->settle(parked(moving)));
  const SignalStatus after = traces();
  EXPECT_EQ(after.in_memory, 1U);
  EXPECT_EQ(after.in_journal, 10U);
}

TEST_F(LawTest, HoldsWhenTheJournalDeliversAChunkBeforeThePoolNotedIt) {
  append(*pool_, 1);
  const model::Claim moving = claim_sealed();
  ASSERT_TRUE(journal_->append(moving.chunk));
  const auto again = journal_->claim(model::SignalSet::all(), clock_.steady_now());
  ASSERT_TRUE(again && *again);
  ASSERT_TRUE(journal_->settle(ack(**again)));
  EXPECT_EQ(traces().delivered, 0U);
  ASSERT_TRUE(pool_->settle(parked(moving)));
  EXPECT_EQ(traces().delivered, 1U);
}

TEST_F(LawTest, HoldsWhileARecordGoesPastThePool) {
  model::Chunk chunk{.id = {pool_->writer(), pool_->take_sequence()},
                     .signal = model::Signal::traces,
                     .item_count = 1,
                     .sealed_at = clock_.wall_now(),
                     .payload = model::Payload::own(std::vector<std::byte>(100))};
  ASSERT_TRUE(journal_->append(chunk));
  EXPECT_EQ(traces().accepted, 0U);  // End() has not returned
  pool_->count_direct(model::Signal::traces, 1);
  EXPECT_EQ(traces().accepted, 1U);
}

TEST_F(LawTest, AChunkThatNoJournalHasBreaksIt) {
  append(*pool_, 1);
  ASSERT_TRUE(pool_->settle(parked(claim_sealed())));
  Status status;
  read_law(*pool_, *journal_, status);
  EXPECT_FALSE(status.holds());
}

TEST_F(LawTest, HoldsAtEveryMomentWhileRecordsMove) {
  std::atomic<bool> done{false};
  std::thread appends([&] {
    for (std::uint64_t i = 0; i < 200'000; ++i) {
      while (pool_->append(model::Signal::traces, context_, journal::record_of(i), 1) !=
             journal::AppendStatus::accepted) {
        std::this_thread::yield();
      }
    }
    done = true;
  });
  std::thread moves([&] {
    for (bool last = false; !last;) {
      last = done;
      pool_->seal_all();
      while (const auto moving = claim(*pool_)) {
        ASSERT_TRUE(journal_->append(moving->chunk));
        ASSERT_TRUE(pool_->settle(parked(*moving)));
      }
    }
  });
  while (!done) traces();
  appends.join();
  moves.join();
  EXPECT_EQ(traces().in_journal, 200'000U);
}

}  // namespace
}  // namespace arca::telemetry
