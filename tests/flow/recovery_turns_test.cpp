// Whose turn it is: how many writers recovery drains at a time, and who may overtake whom.
#include "flow/recovery_fixture.hpp"

namespace arca::flow {
namespace {

using RecoveryTurnsTest = RecoveryTest;

TEST_F(RecoveryTurnsTest, a_signal_that_is_blocked_does_not_hold_up_the_next_writers) {
  sink.answer_by([](const model::Chunk& chunk) {  // the endpoint of the metrics is away
    return FakeSink::make(chunk.id, chunk.signal == Signal::metrics ? Verdict::retry : Verdict::delivered);
  });
  put(writers.add(2).journal, 2, 1, 2, Signal::metrics);
  put(writers.at(2).pool, 2, 3, 6);
  put(writers.add(3).pool, 3, 11, 14, Signal::metrics);
  put(writers.add(4).pool, 4, 21, 24);
  put(writers.add(5).pool, 5, 31, 34, Signal::logs);
  const auto recovery = make();
  live(*recovery, 10s);
  EXPECT_EQ(writers.ledger.count(4), 1U);
  EXPECT_EQ(writers.ledger.count(5), 1U);
  EXPECT_EQ(writers.at(2).pool.settled_count(Verdict::delivered), 4U);
  EXPECT_EQ(recovery->status().writers.size(), 2U);
  sink.answer_at_once(Verdict::delivered);
  live(*recovery, 2min);
  EXPECT_TRUE(writers.writers.empty());
}

TEST_F(RecoveryTurnsTest, a_collector_that_does_not_answer_for_one_signal_does_not_hold_up_the_next_writers) {
  sink.answer_by([](const model::Chunk& chunk) -> std::optional<model::Ack> {
    if (chunk.signal == Signal::traces) return std::nullopt;
    return FakeSink::make(chunk.id, Verdict::delivered);
  });
  put(writers.add(2).pool, 2, 1, 9);
  put(writers.add(3).pool, 3, 11, 14, Signal::logs);
  const auto recovery = make();
  live(*recovery, 5s);
  EXPECT_EQ(writers.ledger.count(3), 1U);
}

TEST_F(RecoveryTurnsTest, while_its_sends_go_well_one_writer_is_drained_at_a_time) {
  sink.answer_later();
  put(writers.add(2).pool, 2, 1, 9);
  put(writers.add(3).pool, 3, 11, 19);
  const auto recovery = make();
  for (int i = 0; i < 7; ++i) {
    live(*recovery, 500ms);
    ASSERT_EQ(sink.pending_count(), 2U);
    EXPECT_EQ(sink.pending_id(0).writer, WriterId{2});
    EXPECT_EQ(sink.pending_id(1).writer, WriterId{2});
    sink.ack(0, Verdict::delivered);
  }
}

TEST_F(RecoveryTurnsTest, held_back_by_live_traffic_it_begins_with_no_further_writer) {
  RecoveryOptions yielding = recovery_options();
  yielding.yields = [] { return true; };
  put(writers.add(2).pool, 2, 1, 50);
  put(writers.add(3).pool, 3, 51, 99);
  const auto recovery = make(yielding);
  live(*recovery, 30s);
  EXPECT_GE(sink.submitted().size(), 4U);  // one every five seconds, so that nobody starves
  for (const model::Chunk& chunk : sink.submitted()) EXPECT_EQ(chunk.id.writer, WriterId{2});
}

TEST_F(RecoveryTurnsTest, holds_no_more_chunks_than_the_windows_of_the_writers_it_drains) {
  sink.answer_later();
  put(source, 1, 1, 50);
  for (std::uint64_t id = 2; id < 10; ++id) put(writers.add(id).pool, id, 1, 50);
  const auto recovery = make();
  live(*recovery, 1min);
  EXPECT_EQ(sink.pending_count(), 2U + 4U * 2U);  // of its own journal, and of four dead writers
}

}  // namespace
}  // namespace arca::flow
