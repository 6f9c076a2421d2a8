// Delivery out of Cassandra: order, wholeness, progress, quarantine.
#include "cassandra/parked_source.hpp"

#include "cassandra/parked_fixture.hpp"

namespace arca::cassandra {
namespace {

TEST_F(ParkedSourceTest, delivers_every_segment_and_says_so_in_the_directory) {
  std::vector<SegmentHead> heads;
  for (std::uint64_t writer = 1; writer <= 40; ++writer) heads.push_back(sealed(writer, 1, 10));
  const auto one = recoverer();
  live(one, 60s);
  EXPECT_EQ(sink.submitted().size(), 400U);
  EXPECT_TRUE(everything_arrived());
  for (const SegmentHead& head : heads) {
    EXPECT_TRUE(is_replayed(head));
    EXPECT_EQ(entry_of(head).replay_position, 10);
  }
  EXPECT_TRUE(one->source.is_drained());
  EXPECT_EQ(one->source.backlog().chunk_count, 0U);
  EXPECT_EQ(one->source.status().segments_done, 40U);
  EXPECT_EQ(store.violation_count(), 0);
}

TEST_F(ParkedSourceTest, the_chunk_that_arrives_is_the_one_that_was_parked) {
  const SegmentHead head = open(1);
  model::Chunk chunk = chunk_of(head, 5, Signal::logs);
  chunk.payload = model::Payload::copy_of(base::as_bytes(std::string(1000, 'x') + "end"));
  put(head, 0, chunk);
  seal(head);
  const auto one = recoverer();
  live(one, 10s);
  ASSERT_EQ(sink.submitted().size(), 1U);
  const model::Chunk arrived = sink.submitted()[0];
  EXPECT_EQ(arrived.id, chunk.id);
  EXPECT_EQ(arrived.signal, chunk.signal);
  EXPECT_EQ(arrived.item_count, chunk.item_count);
  EXPECT_EQ(arrived.sealed_at, chunk.sealed_at);
  EXPECT_EQ(arrived.payload.flatten(), chunk.payload.flatten());
}

TEST_F(ParkedSourceTest, the_oldest_segments_of_a_shard_go_first) {
  for (std::uint64_t i = 0; i < 5; ++i) {
    sealed(1, 10 * i + 1, 10 * i + 3);
    clock.advance(7min);
  }
  const auto one = recoverer();
  live(one, 30s);
  EXPECT_EQ(sink.submitted_sequences(),
            (std::vector<std::uint64_t>{1, 2, 3, 11, 12, 13, 21, 22, 23, 31, 32, 33, 41, 42, 43}));
}

TEST_F(ParkedSourceTest, asked_for_a_scan_it_is_not_drained_before_one_that_begins_later_has_ended) {
  ParkedSourceOptions rare = options();
  rare.scan_interval = 1h;
  const auto one = recoverer(rare);
  live(one, 15min);
  EXPECT_TRUE(one->source.is_drained());
  sealed(1, 1, 3);
  one->source.scan_now();
  EXPECT_FALSE(one->source.is_drained());
  store.hold(StoreCall::list_buckets, FakeParkingStore::Hold::answer);
  live(one, 1s);
  EXPECT_FALSE(one->source.is_drained());  // it has begun
  store.hold(StoreCall::list_buckets, FakeParkingStore::Hold::none);
  while (store.deliver()) {
  }
  live(one, 10s);
  EXPECT_TRUE(one->source.is_drained());
  EXPECT_TRUE(everything_arrived());
}

TEST_F(ParkedSourceTest, an_archive_is_not_delivered) {
  const SegmentHead head = open(1, Purpose::archive);
  put(head, 1, 3);
  seal(head);
  const auto one = recoverer();
  live(one, 2min);
  EXPECT_TRUE(sink.submitted().empty());
  EXPECT_TRUE(one->source.is_drained());
  EXPECT_FALSE(is_replayed(head));
  EXPECT_EQ(store.count(StoreCall::take_lease), 0U);
}

// --- wholeness -----------------------------------------------------------------------------------

TEST_F(ParkedSourceTest, an_unsealed_segment_is_delivered_as_far_as_it_is_there_and_ends_when_no_writer_can_add_to_it) {
  const SegmentHead head = open(1);
  put(head, 1, 3);
  const auto one = recoverer();
  live(one, 10s);
  EXPECT_EQ(sink.submitted().size(), 3U);
  EXPECT_FALSE(is_replayed(head));
  EXPECT_FALSE(one->source.is_drained());
  EXPECT_EQ(one->source.status().segments_waiting, 1U);
  put(head, 3, chunk_of(head, 4));
  live(one, 38s);  // 48 s
  EXPECT_EQ(sink.submitted().size(), 4U);
  EXPECT_FALSE(is_replayed(head));
  live(one, 5s);  // 53 s: the life of a segment and the margin are over
  EXPECT_TRUE(is_replayed(head));
  EXPECT_EQ(entry_of(head).replay_position, 4);
  EXPECT_TRUE(one->source.is_drained());
  EXPECT_EQ(repeated_count(), 0U);
}

TEST_F(ParkedSourceTest, what_arrives_at_the_last_moment_of_an_unsealed_segment_is_read_at_its_end) {
  const SegmentHead head = open(1);
  put(head, 1, 2);
  ParkedSourceOptions rare = options();
  rare.scan_interval = 40s;  // no look between the first and the last
  const auto one = recoverer(rare);
  live(one, 49s);
  EXPECT_FALSE(is_replayed(head));
  put(head, 2, chunk_of(head, 3));
  live(one, 60s);
  EXPECT_TRUE(is_replayed(head));
  EXPECT_TRUE(everything_arrived());
}

TEST_F(ParkedSourceTest, a_gap_in_an_unsealed_segment_is_looked_at_again_and_nothing_is_sent_twice) {
  const SegmentHead head = open(1);
  put(head, 0, chunk_of(head, 1));
  put(head, 2, chunk_of(head, 3));
  put(head, 3, chunk_of(head, 4));
  const auto one = recoverer();
  live(one, 12s);
  EXPECT_EQ(sink.submitted_sequences(), (std::vector<std::uint64_t>{1, 3, 4}));
  EXPECT_EQ(entry_of(head).replay_position, 1);  // no progress past the gap
  put(head, 1, chunk_of(head, 2));
  live(one, 12s);
  EXPECT_EQ(sink.submitted_sequences(), (std::vector<std::uint64_t>{1, 3, 4, 2}));
  EXPECT_EQ(entry_of(head).replay_position, 4);
  seal(head);
  live(one, 12s);
  EXPECT_TRUE(is_replayed(head));
  EXPECT_EQ(repeated_count(), 0U);
}

TEST_F(ParkedSourceTest, a_gap_in_a_sealed_segment_holds_up_nothing) {
  const SegmentHead head = open(1);
  put(head, 1, chunk_of(head, 2));
  put(head, 4, chunk_of(head, 5));
  seal(head);
  const auto one = recoverer();
  live(one, 10s);
  EXPECT_TRUE(is_replayed(head));
  EXPECT_EQ(entry_of(head).replay_position, 5);
  EXPECT_EQ(sink.submitted().size(), 2U);
}

TEST_F(ParkedSourceTest, a_writer_that_was_frozen_and_parks_anew_loses_nothing) {
  const SegmentHead head = open(1);
  put(head, 1, 2);
  const auto one = recoverer();
  live(one, 2min);
  ASSERT_TRUE(is_replayed(head));
  put(head, 2, chunk_of(head, 3));  // it wakes: the answer comes too late, so it does not count, and parks it again
  const SegmentHead anew = open(1);
  put(anew, 0, chunk_of(anew, 3));
  seal(anew);
  live(one, 30s);
  EXPECT_TRUE(everything_arrived());
  EXPECT_EQ(repeated_count(), 0U);
}

TEST_F(ParkedSourceTest, a_chunk_that_lies_in_two_segments_is_sent_once_by_one_recoverer) {
  const SegmentHead first = open(1);
  put(first, 1, 3);
  seal(first);
  clock.advance(1s);
  const SegmentHead second = open(1);
  put(second, 0, chunk_of(second, 3));
  put(second, 1, chunk_of(second, 4));
  seal(second);
  sink.answer_later();
  const auto one = recoverer();
  for (int i = 0; i < 10; ++i) {
    live(one, 1s);
    if (sink.pending_count() > 0) sink.ack(sink.pending_count() - 1, Verdict::delivered);
  }
  EXPECT_TRUE(is_replayed(first));
  EXPECT_TRUE(is_replayed(second));
  EXPECT_EQ(sink.submitted().size(), 4U);
}

// --- order of metrics ----------------------------------------------------------------------------

TEST_F(ParkedSourceTest, metrics_of_a_writer_leave_one_at_a_time_in_their_order) {
  const SegmentHead head = open(1);
  std::int32_t position = 0;
  for (std::uint64_t i = 1; i <= 6; ++i)
    put(head, position++, chunk_of(head, i, i % 2 ? Signal::metrics : Signal::traces));
  seal(head);
  clock.advance(1s);
  sealed(1, 7, 8, Signal::metrics);
  sink.answer_later();
  const auto one = recoverer();
  std::vector<std::uint64_t> metrics;
  for (int i = 0; i < 40; ++i) {
    live(one, 1s);
    std::size_t under_way = 0;
    for (std::size_t at = 0; at < sink.pending_count(); ++at) under_way += sink.pending_id(at).sequence % 2;
    EXPECT_LE(under_way, 1U);
    if (sink.pending_count() == 0) break;
    const auto sequence = sink.pending_id(0).sequence;
    sink.ack(0, i % 3 == 0 ? Verdict::retry : Verdict::delivered);  // what is tried again is not overtaken
    if (i % 3 != 0 && (sequence % 2 == 1 || sequence == 8)) metrics.push_back(sequence);
  }
  EXPECT_EQ(metrics, (std::vector<std::uint64_t>{1, 3, 5, 7, 8}));
}

TEST_F(ParkedSourceTest, metrics_do_not_pass_an_earlier_segment_in_which_metrics_may_still_appear) {
  const SegmentHead early = open(1);
  put(early, 0, chunk_of(early, 1, Signal::metrics));
  clock.advance(1s);
  sealed(1, 5, 6, Signal::metrics);
  const auto one = recoverer();
  live(one, 20s);
  EXPECT_EQ(sink.submitted_sequences(), (std::vector<std::uint64_t>{1}));
  put(early, 1, chunk_of(early, 2, Signal::metrics));
  seal(early);
  live(one, 20s);
  EXPECT_EQ(sink.submitted_sequences(), (std::vector<std::uint64_t>{1, 2, 5, 6}));
}

TEST_F(ParkedSourceTest, metrics_of_one_writer_do_not_wait_for_those_of_another) {
  sealed(1, 1, 3, Signal::metrics);
  sealed(2, 1, 3, Signal::metrics);
  sink.answer_by([](const model::Chunk& chunk) {
    return FakeSink::make(chunk.id, chunk.id.writer.value == 1 ? Verdict::retry : Verdict::delivered);
  });
  const auto one = recoverer();
  live(one, 60s);
  std::size_t of_two = 0;
  for (const auto& [id, count] : arrivals()) of_two += id.writer.value == 2;
  EXPECT_EQ(of_two, 3U);
}

// --- progress ------------------------------------------------------------------------------------

TEST_F(ParkedSourceTest, progress_is_written_without_gaps_and_at_most_once_in_its_interval) {
  const SegmentHead head = sealed(1, 1, 20);
  sink.answer_later();
  ParkedSourceOptions slow = options();
  slow.progress_interval = 1s;
  const auto one = recoverer(slow);
  live(one, 3s);
  ASSERT_EQ(sink.pending_count(), 4U);
  sink.ack(3, Verdict::delivered);
  live(one, 3s);
  EXPECT_EQ(entry_of(head).replay_position, 0);
  sink.ack(0, Verdict::delivered);
  live(one, 3s);
  EXPECT_EQ(entry_of(head).replay_position, 1);
  for (int i = 0; i < 10; ++i) {
    sink.ack(0, Verdict::delivered);
    live(one, 100ms);
  }
  EXPECT_LE(store.count(StoreCall::mark_replayed), 3U);
  live(one, 2s);
  EXPECT_GE(entry_of(head).replay_position, 10);
}

TEST_F(ParkedSourceTest, a_restart_goes_on_where_the_one_before_it_was) {
  const SegmentHead head = sealed(1, 1, 20);
  sink.answer_later();
  auto one = recoverer();
  live(one, 3s);
  for (int i = 0; i < 10; ++i) {
    sink.ack(0, Verdict::delivered);
    live(one, 100ms);
  }
  one.reset();  // with four under way
  sink.answer_at_once(Verdict::delivered);
  const auto two = recoverer();
  live(two, 60s);
  EXPECT_TRUE(is_replayed(head));
  EXPECT_TRUE(everything_arrived());
  EXPECT_LE(repeated_count(), 4U);
}

TEST_F(ParkedSourceTest, close_writes_the_last_progress_and_gives_the_leases_back) {
  const SegmentHead head = sealed(1, 1, 20);
  ParkedSourceOptions slow = options();
  slow.progress_interval = 1h;
  sink.answer_by([](const model::Chunk& chunk) -> std::optional<model::Ack> {
    if (chunk.id.sequence > 12) return std::nullopt;
    return FakeSink::make(chunk.id, Verdict::delivered);
  });
  auto one = recoverer(slow);
  live(one, 10s);
  EXPECT_LT(entry_of(head).replay_position, 12);
  EXPECT_TRUE(store.lease(head.name.shard));
  EXPECT_TRUE(one->source.close(now() + 1s));
  EXPECT_EQ(entry_of(head).replay_position, 12);
  EXPECT_FALSE(store.lease(head.name.shard));
  EXPECT_FALSE(*one->source.claim(model::SignalSet::all(), base::never));
}

TEST_F(ParkedSourceTest, failed_progress_is_written_again) {
  const SegmentHead head = sealed(1, 1, 5);
  store.fail_next(StoreCall::mark_replayed, 4, {.outcome = Outcome::unknown, .applied = false});
  const auto one = recoverer();
  live(one, 30s);
  EXPECT_TRUE(is_replayed(head));
  EXPECT_EQ(repeated_count(), 0U);
}

// --- verdicts ------------------------------------------------------------------------------------

TEST_F(ParkedSourceTest, a_rejected_chunk_is_in_quarantine_before_progress_passes_it) {
  const SegmentHead head = sealed(1, 1, 4);
  sink.answer_by([](const model::Chunk& chunk) {
    return FakeSink::make(chunk.id, chunk.id.sequence == 2 ? Verdict::rejected : Verdict::delivered, "400 bad");
  });
  store.fail_always(StoreCall::put_quarantined, {.outcome = Outcome::not_taken});
  const auto one = recoverer();
  live(one, 20s);
  EXPECT_EQ(sink.submitted().size(), 4U);
  EXPECT_EQ(entry_of(head).replay_position, 1);
  EXPECT_FALSE(is_replayed(head));
  store.heal();
  live(one, 20s);
  EXPECT_TRUE(is_replayed(head));
  ASSERT_EQ(store.quarantined().size(), 1U);
  EXPECT_EQ(store.quarantined()[0].chunk.id.sequence, 2U);
  EXPECT_EQ(store.quarantined()[0].refused_item_count, 10U);
  EXPECT_EQ(store.quarantined()[0].reason, "400 bad");
  EXPECT_EQ(entry_of(head).quarantined_items[0], 10U);
  EXPECT_EQ(sink.submitted().size(), 4U);
}

TEST_F(ParkedSourceTest, items_that_the_collector_refuses_of_a_chunk_are_in_quarantine_and_counted) {
  const SegmentHead head = sealed(1, 1, 3, Signal::logs);
  sink.answer_by([](const model::Chunk& chunk) {
    model::Ack ack = FakeSink::make(chunk.id, Verdict::delivered, "2 too old");
    ack.refused_item_count = chunk.id.sequence == 3 ? 2 : 0;
    return ack;
  });
  const auto one = recoverer();
  live(one, 20s);
  ASSERT_EQ(store.quarantined().size(), 1U);
  EXPECT_EQ(store.quarantined()[0].refused_item_count, 2U);
  EXPECT_EQ(entry_of(head).quarantined_items[model::index_of(Signal::logs)], 2U);
  EXPECT_TRUE(is_replayed(head));
}

TEST_F(ParkedSourceTest, an_unknown_outcome_is_tried_again_and_counts_nowhere) {
  const SegmentHead head = sealed(1, 1, 2);
  int turn = 0;
  sink.answer_by([&turn](const model::Chunk& chunk) {
    return FakeSink::make(chunk.id, ++turn <= 3 ? Verdict::unknown : Verdict::delivered);
  });
  const auto one = recoverer();
  live(one, 60s);
  EXPECT_TRUE(is_replayed(head));
  EXPECT_EQ(sink.submitted().size(), 5U);
  EXPECT_TRUE(store.quarantined().empty());
}

}  // namespace
}  // namespace arca::cassandra
