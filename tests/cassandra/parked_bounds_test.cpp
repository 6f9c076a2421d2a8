// What ParkedSource holds and asks at most, whatever the backlog.
#include "cassandra/parked_fixture.hpp"

namespace arca::cassandra {
namespace {

using ParkedBoundsTest = ParkedSourceTest;

TEST_F(ParkedBoundsTest, it_reads_no_more_than_it_may_hold_whatever_the_backlog) {
  for (std::uint64_t writer = 1; writer <= 60; ++writer) sealed(writer, 1, 20);
  sink.answer_later();
  ParkedSourceOptions small = options();
  small.read_ahead_chunks = 10;
  const auto one = recoverer(small, 3);
  live(one, 20s);
  EXPECT_EQ(sink.pending_count(), 3U);
  EXPECT_LE(one->source.status().chunks_read, 10U);
  sink.ack_all(Verdict::delivered);
  live(one, 5s);
  EXPECT_LE(one->source.status().chunks_read, 13U);
  sink.answer_at_once(Verdict::delivered);
  sink.ack_all(Verdict::delivered);
  live(one, 3min);
  EXPECT_EQ(arrivals().size(), 1200U);
}

TEST_F(ParkedBoundsTest, a_signal_whose_endpoint_is_away_holds_up_no_other) {
  for (std::uint64_t writer = 1; writer <= 4; ++writer) {
    const SegmentHead head = open(writer);
    std::int32_t position = 0;
    for (std::uint64_t i = 1; i <= 60; ++i)
      put(head, position++, chunk_of(head, i, i <= 40 ? Signal::logs : Signal::traces));
    seal(head);
  }
  sink.answer_by([](const model::Chunk& chunk) {
    return FakeSink::make(chunk.id, chunk.signal == Signal::logs ? Verdict::retry : Verdict::delivered);
  });
  ParkedSourceOptions small = options();
  small.read_ahead_chunks = 12;
  const auto one = recoverer(small);
  live(one, 5min);
  std::size_t traces = 0;
  for (const auto& [id, count] : arrivals()) traces += id.sequence > 40;
  EXPECT_EQ(traces, 80U);
  sink.answer_at_once(Verdict::delivered);
  live(one, 5min);
  EXPECT_TRUE(everything_arrived());
  EXPECT_TRUE(one->source.is_drained());
}

TEST_F(ParkedBoundsTest, a_chunk_larger_than_all_that_it_may_hold_passes) {
  const SegmentHead head = open(1);
  put(head, 0, chunk_of(head, 1, Signal::traces, 100'000));
  put(head, 1, chunk_of(head, 2, Signal::traces, 100'000));
  seal(head);
  ParkedSourceOptions small = options();
  small.read_ahead_bytes = 1000;
  const auto one = recoverer(small);
  live(one, 20s);
  EXPECT_EQ(sink.submitted().size(), 2U);
  EXPECT_EQ(one->source.status().last_error, "");
  EXPECT_TRUE(is_replayed(head));
}

TEST_F(ParkedBoundsTest, more_segments_than_it_keeps_in_mind_are_delivered_all) {
  for (std::uint64_t i = 0; i < 1500; ++i) sealed(1, 2 * i + 1, 2 * i + 2);
  const auto one = recoverer(options(), 32);
  live(one, 6s);
  live(one, 5min);
  EXPECT_EQ(arrivals().size(), 3000U);
  EXPECT_TRUE(one->source.is_drained());
}

TEST_F(ParkedBoundsTest, the_backlog_is_what_the_directory_says_less_what_was_delivered) {
  sealed(1, 1, 20);
  sealed(2, 1, 10);
  sink.answer_by([](const model::Chunk& chunk) -> std::optional<model::Ack> {
    if (chunk.id.sequence > 5) return std::nullopt;
    return FakeSink::make(chunk.id, Verdict::delivered);
  });
  const auto one = recoverer(options(), 24);
  live(one, 10s);
  const model::Backlog left = one->source.backlog();
  EXPECT_EQ(left.chunk_count, 20U);
  EXPECT_EQ(left.item_count[0], 200U);
  EXPECT_EQ(left.bytes, 2000U);
  EXPECT_TRUE(left.oldest);
}

TEST_F(ParkedBoundsTest, old_buckets_in_which_all_is_done_are_looked_at_rarely) {
  for (int i = 0; i < 50; ++i) {
    sealed(1, static_cast<std::uint64_t>(i) + 1, static_cast<std::uint64_t>(i) + 1);
    clock.advance(10min);
  }
  const auto one = recoverer();
  live(one, 2min);
  ASSERT_TRUE(one->source.is_drained());
  const std::size_t before = store.count(StoreCall::list_segments);
  live(one, 10min);
  EXPECT_LE(store.count(StoreCall::list_segments) - before, 4U * 125U);
}

}  // namespace
}  // namespace arca::cassandra
