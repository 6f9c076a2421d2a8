// When every tier is full, and when not: who records waits, by policy, only while pool and journal are both at their
// budgets.
#include "telemetry/recorder.hpp"

#include <thread>

#include "flow/spiller.hpp"
#include "journal/pool_fixture.hpp"
#include "support/wait.hpp"

namespace arca::telemetry {
namespace {

using namespace std::chrono_literals;

class RecorderTest : public journal::PoolTest {
 protected:
  RecorderTest() : pool_(make(1U << 20U)) {
    // The doorbell sleeps in real time.
    clock_.advance(std::chrono::steady_clock::now() - clock_.steady_now());
    const auto append = [this](const model::Chunk&) -> Result<void> {
      if (journal_is_full_) return failure(ErrorCode::full, "the journal is full");
      ++journaled_;
      return {};
    };
    intake_ = {.pool = pool_.get(), .clock = &clock_, .epoch = 1, .append_direct = append, .block_max = 1h};
    spiller_ = std::make_unique<flow::Spiller>(*pool_, append, intake_.progress, clock_, flow::SpillerOptions{});
    pool_->set_freed_hook([this] { intake_.progress->ring(); });
    pool_->set_room_maker([this] { return spiller_->make_room(); });
    recorder_.open(&intake_, {});
  }
  ~RecorderTest() override { recorder_.close(clock_, base::never); }

  bool record(model::Signal signal = model::Signal::traces) {
    return recorder_.record(signal, scope_, journal::record_of(1, 4000), 1);
  }
  static std::vector<std::byte> bytes_of(std::string_view text) {
    const base::Bytes bytes = base::as_bytes(text);
    return {bytes.begin(), bytes.end()};
  }
  // Fills the pool, with everything in it on its way to a Collector that does not answer.
  void fill_pool() {
    std::atomic<bool>& full = journal_is_full_;
    full = true;
    intake_.block_max = 0s;
    while (record()) {
      if (auto sent = claim(*pool_)) in_flight_.push_back(std::move(*sent));
    }
    pool_->seal_all();
    while (auto sent = claim(*pool_)) in_flight_.push_back(std::move(*sent));
    full = false;
    intake_.progress->ring();
    intake_.block_max = 1h;
    ASSERT_FALSE(in_flight_.empty());
    refused_before_ = pool_->totals()[0].refused;
  }
  std::uint64_t refused() { return pool_->totals()[0].refused - refused_before_; }
  // Records on another thread, and waits until that stands still.
  std::thread record_and_wait(bool& taken) {
    std::thread caller([this, &taken] { taken = record(); });
    EXPECT_TRUE(support::wait_until([this] { return recorder_.waiting_count() == 1; }));
    return caller;
  }

  std::unique_ptr<journal::Pool> pool_;
  std::atomic<bool> journal_is_full_{false};
  std::atomic<std::uint64_t> journaled_{0};
  std::uint64_t refused_before_ = 0;
  Intake intake_;
  std::unique_ptr<flow::Spiller> spiller_;
  std::vector<model::Claim> in_flight_;
  ResourceSlot resource_{bytes_of(journal::resource_bytes)};
  ScopeContext scope_{resource_, bytes_of(journal::scope_bytes)};
  Recorder recorder_;
};

TEST_F(RecorderTest, NobodyWaitsWhileTheJournalHasRoom) {
  fill_pool();
  const std::uint64_t before = journaled_;
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(record());  // who waits here waits for good
  EXPECT_GE(journaled_ - before, 50U);
  EXPECT_EQ(refused(), 0U);
}

TEST_F(RecorderTest, WhoWaitsGoesOnWhenTheJournalHasRoom) {
  fill_pool();
  journal_is_full_ = true;
  bool taken = false;
  std::thread caller = record_and_wait(taken);
  journal_is_full_ = false;
  intake_.progress->ring();
  caller.join();
  EXPECT_TRUE(taken);
  EXPECT_EQ(refused(), 0U);
}

TEST_F(RecorderTest, WhoWaitsGoesOnWhenAChunkOfThePoolIsFree) {
  fill_pool();
  journal_is_full_ = true;
  bool taken = false;
  std::thread caller = record_and_wait(taken);
  for (const model::Claim& sent : in_flight_) EXPECT_TRUE(pool_->settle(ack(sent)));
  in_flight_.clear();
  caller.join();
  EXPECT_TRUE(taken);
  EXPECT_EQ(refused(), 0U);
}

TEST_F(RecorderTest, WhoseTimeIsOverIsRefusedAndCounted) {
  fill_pool();
  journal_is_full_ = true;
  bool taken = true;
  std::thread caller = record_and_wait(taken);
  clock_.advance(1h);
  caller.join();
  EXPECT_FALSE(taken);
  EXPECT_EQ(refused(), 1U);
}

TEST_F(RecorderTest, AnEndDoesNotWaitForThoseWhoWait) {
  fill_pool();
  journal_is_full_ = true;
  bool taken = true;
  std::thread caller = record_and_wait(taken);
  EXPECT_TRUE(recorder_.close(clock_, clock_.steady_now() + 30min));  // the caller would wait an hour
  caller.join();
  EXPECT_FALSE(taken);
}

TEST_F(RecorderTest, AMetricGoesPastThePoolUnlessItWouldOvertake) {
  fill_pool();
  intake_.block_max = 0s;
  EXPECT_TRUE(record(model::Signal::metrics));  // no metric is in the pool
  EXPECT_EQ(pool_->totals()[model::index_of(model::Signal::metrics)].journaled, 1U);
  in_flight_.clear();
}

TEST_F(RecorderTest, ARecordThatCanNeverFitIsRefusedAtOnce) {
  intake_.direct_size_max = 1U << 20U;
  EXPECT_FALSE(recorder_.record(model::Signal::traces, scope_, std::vector<std::byte>(2U << 20U), 1));
  EXPECT_EQ(refused(), 1U);
}

}  // namespace
}  // namespace arca::telemetry
