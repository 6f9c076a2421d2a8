// What a cluster has acknowledged and no longer has, and what it got when nobody looked any more: the first is lost and
// told, never taken for delivered; the second is found.
#include "cassandra/parked_fixture.hpp"

namespace arca::cassandra {
namespace {

class ParkedLossTest : public ParkedSourceTest {
 protected:
  std::size_t reports_of_loss() const {
    return static_cast<std::size_t>(std::count_if(reports.begin(), reports.end(), [](const std::string& report) {
      return report.find("are lost") != std::string::npos;
    }));
  }
};

TEST_F(ParkedLossTest, what_a_truncated_table_held_is_lost_and_not_delivered) {
  const SegmentHead head = sealed(1, 1, 5);
  store.lose_all_chunks();
  const auto one = recoverer();
  live(one, 1min);
  EXPECT_TRUE(sink.submitted().empty());
  EXPECT_TRUE(is_replayed(head));
  EXPECT_EQ(entry_of(head).missing, 50U);
  EXPECT_EQ(entry_of(head).replayed_items, ItemCounts{});
  EXPECT_EQ(one->source.status().lost_chunk_count, 5U);
  EXPECT_EQ(reports_of_loss(), 1U);
  EXPECT_TRUE(one->source.is_drained());
  const std::size_t before = store.count(StoreCall::read_chunks);
  const auto two = recoverer();
  live({one.get(), two.get()}, 2h);
  EXPECT_EQ(store.count(StoreCall::read_chunks), before) << "it is over";
  EXPECT_EQ(two->source.status().lost_chunk_count, 0U) << "once";
}

TEST_F(ParkedLossTest, a_chunk_that_is_lost_among_others_is_told_and_the_others_are_delivered) {
  const SegmentHead head = sealed(1, 1, 20, Signal::logs);
  store.lose_chunk(head.name.id, 0);
  store.lose_chunk(head.name.id, 7);
  store.lose_chunk(head.name.id, 8);
  store.lose_chunk(head.name.id, 19);
  const auto one = recoverer();
  live(one, 1min);
  EXPECT_EQ(sink.submitted().size(), 16U);
  const SegmentEntry entry = entry_of(head);
  EXPECT_EQ(entry.replay_position, 20);
  EXPECT_EQ(entry.replayed_items, (ItemCounts{0, 0, 160}));
  EXPECT_EQ(to_text(entry.gaps), "0 7-8 19");
  EXPECT_EQ(entry.missing, 40U);
  EXPECT_EQ(one->source.status().lost_chunk_count, 4U);
}

TEST_F(ParkedLossTest, a_chunk_that_its_writer_does_not_count_makes_up_for_none) {
  const SegmentHead head = open(1);
  put(head, 1, 3);
  parked.erase(ChunkId{head.writer, 2});  // at position 1
  seal(head);
  store.lose_chunk(head.name.id, 2);
  const auto one = recoverer();
  live(one, 1min);
  EXPECT_EQ(sink.submitted().size(), 2U);
  EXPECT_EQ(entry_of(head).missing, 10U);
}

TEST_F(ParkedLossTest, what_was_read_and_has_gone_before_it_could_be_given_is_lost) {
  const SegmentHead head = sealed(1, 1, 40, Signal::logs);
  sealed(2, 1, 40);
  sink.answer_by([](const model::Chunk& chunk) {
    return FakeSink::make(chunk.id, chunk.signal == Signal::logs ? Verdict::retry : Verdict::delivered);
  });
  ParkedSourceOptions small = options();
  small.read_ahead_chunks = 12;
  const auto one = recoverer(small);
  live(one, 20s);
  store.lose_all_chunks();
  std::uint64_t arrived = 0;
  sink.answer_by([&arrived](const model::Chunk& chunk) {
    arrived += chunk.id.writer.value == 1 ? 1 : 0;
    return FakeSink::make(chunk.id, Verdict::delivered);
  });
  live(one, 5min);
  ASSERT_TRUE(is_replayed(head));
  EXPECT_NE(std::find_if(reports.begin(), reports.end(),
                         [](const std::string& report) { return report.find("has gone") != std::string::npos; }),
            reports.end())
      << "payloads of one signal were dropped for the other";
  EXPECT_LT(arrived, 40U);
  EXPECT_EQ(entry_of(head).missing, 400 - 10 * arrived);
  EXPECT_EQ(one->source.status().lost_chunk_count, 40 - arrived);
  EXPECT_TRUE(one->source.is_drained());
}

// --- ended too early -----------------------------------------------------------------------------

// The writer's clocks stood still, both of them: a virtual machine that was paused. By its time the segment is young.
TEST_F(ParkedLossTest, what_a_paused_writer_adds_to_a_segment_that_was_ended_is_found) {
  const SegmentHead head = open(1);
  put(head, 0, chunk_of(head, 1));
  put(head, 2, chunk_of(head, 3));
  const auto one = recoverer();
  live(one, 10min);
  ASSERT_TRUE(is_replayed(head));
  ASSERT_FALSE(entry_of(head).missing);
  put(head, 1, chunk_of(head, 2));  // was on its way when the machine was paused
  put(head, 3, chunk_of(head, 4));
  live(one, 1min);
  EXPECT_EQ(sink.submitted().size(), 2U);
  seal(head);
  live(one, 1min);
  EXPECT_TRUE(everything_arrived());
  EXPECT_EQ(repeated_count(), 0U);
  EXPECT_EQ(entry_of(head).missing, 0U);
  EXPECT_EQ(entry_of(head).replay_position, 4);
  EXPECT_EQ(entry_of(head).replayed_items[0], 40U);
  EXPECT_EQ(to_text(entry_of(head).gaps), "");
  EXPECT_EQ(one->source.status().lost_chunk_count, 0U);
}

TEST_F(ParkedLossTest, another_recoverer_finds_it_too_and_later_ones_leave_it_alone) {
  const SegmentHead head = open(1);
  put(head, 1, 3);
  auto one = recoverer();
  live(one, 10min);
  ASSERT_TRUE(is_replayed(head));
  one.reset();
  put(head, 3, chunk_of(head, 4));
  seal(head);
  store.lose_chunk(head.name.id, 3);
  put(head, 4, chunk_of(head, 5));
  seal(head);
  one = recoverer();
  live(one, 1h);
  EXPECT_EQ(arrivals().size(), 4U);
  EXPECT_EQ(repeated_count(), 0U);
  EXPECT_TRUE(one->source.is_drained());
  const std::size_t before = store.count(StoreCall::read_chunks);
  const auto two = recoverer();
  live(two, 1h);
  EXPECT_EQ(store.count(StoreCall::read_chunks), before);
}

TEST_F(ParkedLossTest, a_seal_that_comes_during_the_last_look_is_reason_for_another_one) {
  const SegmentHead head = open(1);
  put(head, 0, chunk_of(head, 1));
  put(head, 2, chunk_of(head, 3));
  const auto one = recoverer();
  live(one, 48s);
  store.hold(StoreCall::read_chunks, FakeParkingStore::Hold::answer);
  live(one, 20s);
  ASSERT_EQ(store.held_count(StoreCall::read_chunks), 1U);
  put(head, 1, chunk_of(head, 2));
  put(head, 3, chunk_of(head, 4));
  seal(head);
  live(one, 10s);
  store.hold(FakeParkingStore::Hold::none);
  store.deliver_all();
  live(one, 1min);
  EXPECT_TRUE(everything_arrived());
  EXPECT_EQ(entry_of(head).missing, 0U);
}

TEST_F(ParkedLossTest, progress_over_a_gap_by_one_who_knew_no_seal_is_looked_at_again_by_the_next) {
  const SegmentHead head = open(1);
  put(head, 0, chunk_of(head, 1));
  put(head, 2, chunk_of(head, 3));
  put(head, 3, chunk_of(head, 4));
  sink.answer_by([](const model::Chunk& chunk) -> std::optional<model::Ack> {
    if (chunk.id.sequence == 4) return std::nullopt;
    return FakeSink::make(chunk.id, Verdict::delivered);
  });
  auto one = recoverer();
  live(one, 65s);
  ASSERT_EQ(entry_of(head).replay_position, 3) << "past the gap";
  one.reset();
  put(head, 1, chunk_of(head, 2));
  seal(head);
  sink.answer_at_once(Verdict::delivered);
  one = recoverer();
  live(one, 2min);
  EXPECT_TRUE(everything_arrived());
  EXPECT_EQ(entry_of(head).missing, 0U);
  EXPECT_EQ(entry_of(head).replayed_items[0], 40U);
}

}  // namespace
}  // namespace arca::cassandra
