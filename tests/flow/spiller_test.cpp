#include "flow/spiller.hpp"

#include "flow/flow_fixture.hpp"

namespace arca::flow {
namespace {

class SpillerTest : public FlowFixture {
 protected:
  std::unique_ptr<Spiller> make(SpillerOptions made = {}) {
    made.report = [this](const Error& error) { reports.push_back(error); };
    return std::make_unique<Spiller>(
        source,
        [this](const model::Chunk& chunk) -> Result<void> {
          ++append_count;
          if (full) return failure(ErrorCode::full, "the journal is at its budget");
          journal.push_back(chunk.id.sequence);
          return {};
        },
        progress, clock, made);
  }
  std::vector<std::uint64_t> journal;
  int append_count = 0;
  bool full = false;
  std::shared_ptr<Doorbell> progress = std::make_shared<Doorbell>();
};

TEST_F(SpillerTest, moves_the_oldest_chunk_to_the_journal) {
  for (std::uint64_t i = 1; i <= 3; ++i) source.put(make_chunk(i));
  EXPECT_TRUE(make()->make_room());
  EXPECT_EQ(journal, (std::vector<std::uint64_t>{1}));
  EXPECT_EQ(source.settlement(1)->verdict, Verdict::parked);
  EXPECT_EQ(source.settlement(1)->tier, model::Tier::journal);
  EXPECT_EQ(source.backlog().chunk_count, 2U);
}

TEST_F(SpillerTest, refuses_at_once_when_the_journal_is_full_and_keeps_the_chunk) {
  source.put(make_chunk(1));
  full = true;
  EXPECT_FALSE(make()->make_room());
  EXPECT_EQ(source.backlog().chunk_count, 1U);
  EXPECT_EQ(source.claimed_count(), 0U);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].code(), ErrorCode::full);
}

TEST_F(SpillerTest, without_memory_the_chunk_goes_back) {
  source.put(make_chunk(1));
  Spiller spiller(source, [](const model::Chunk&) -> Result<void> { throw std::bad_alloc(); }, progress, clock, {});
  EXPECT_FALSE(spiller.make_room());
  EXPECT_EQ(source.claimed_count(), 0U);
  EXPECT_EQ(source.backlog().chunk_count, 1U);
}

TEST_F(SpillerTest, after_a_refusal_the_disk_is_left_alone_for_a_moment) {
  source.put(make_chunk(1));
  full = true;
  const auto spiller = make();
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(spiller->make_room());
  EXPECT_EQ(append_count, 1);
  full = false;
  clock.advance(10ms);
  EXPECT_TRUE(spiller->make_room());
}

TEST_F(SpillerTest, something_settled_ends_that_moment) {
  source.put(make_chunk(1));
  full = true;
  const auto spiller = make();
  EXPECT_FALSE(spiller->make_room());
  full = false;
  progress->ring();
  EXPECT_TRUE(spiller->make_room());
}

TEST_F(SpillerTest, at_shutdown_everything_moves_even_what_waits_for_its_retry) {
  for (std::uint64_t i = 1; i <= 5; ++i) source.put(make_chunk(i, i % 2 == 0 ? Signal::metrics : Signal::logs));
  const auto claim = source.claim(model::SignalSet::all(), now());
  source.release((*claim)->chunk.id, now() + 10min);
  const auto spilled = make()->spill_all(now() + 1s);
  ASSERT_TRUE(spilled);
  EXPECT_TRUE(spilled->complete);
  EXPECT_EQ(spilled->chunk_count, 5U);
  EXPECT_EQ(spilled->item_count, 50U);
  EXPECT_EQ(journal, (std::vector<std::uint64_t>{1, 2, 3, 4, 5}));
}

TEST_F(SpillerTest, a_chunk_whose_settle_failed_stays_and_moves_again) {
  source.put(make_chunk(1));
  source.fail_settles(1);
  const auto spiller = make();
  EXPECT_FALSE(spiller->make_room());
  EXPECT_EQ(source.backlog().chunk_count, 1U);
  clock.advance(1s);
  EXPECT_TRUE(spiller->make_room());
  EXPECT_EQ(journal, (std::vector<std::uint64_t>{1, 1}));  // the journal itself stores an id once
}

}  // namespace
}  // namespace arca::flow
