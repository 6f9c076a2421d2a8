// What grows old in Cassandra, and the rows that dead writers have not written.
#include "cassandra/parked_fixture.hpp"
#include "cassandra/requests.hpp"
#include "support/wait.hpp"

namespace arca::cassandra {
namespace {

class ParkedAgeTest : public ParkedSourceTest {
 protected:
  // A day, so that it ends while a test lives; the directory a day longer, as in the schema.
  ParkedSourceOptions short_lived() {
    ParkedSourceOptions made = options();
    made.chunk_ttl = 86'400s;
    made.scan_interval = 60s;
    return made;
  }
  std::unique_ptr<Recoverer> recoverer_of_short() {
    flow::DispatcherOptions dispatching;
    return std::make_unique<Recoverer>(old_store, sink, clock, random, short_lived(), dispatching);
  }
  SegmentHead park(std::uint64_t writer, std::uint64_t first, std::uint64_t last, Signal signal = Signal::traces) {
    SegmentHead head;
    head.writer = WriterId{writer};
    head.opened_at = clock.wall_now();
    head.name = {bucket_of(head.opened_at), shard_of(head.writer), random_uuid(random)};
    old_store.open_segment(head, [](const StoreStatus&) {});
    SegmentSummary summary;
    for (std::uint64_t i = first; i <= last; ++i) {
      StoredChunk stored = pack(chunk_of(head, i, signal)).value();
      stored.position = summary.chunk_count++;
      summary.item_count[model::index_of(signal)] += stored.item_count;
      old_store.put_chunk(head.name, stored, 1, [](const StoreStatus&) {});
      parked.insert(stored.id);
    }
    old_store.seal_segment(head.name, clock.wall_now(), summary, [](const StoreStatus&) {});
    clock.advance(1ms);
    return head;
  }

  FakeParkingStore old_store{clock, {.chunk_ttl = 86'400s, .directory_ttl = 2 * 86'400s}};
};

TEST_F(ParkedAgeTest, what_is_older_than_half_its_life_and_undelivered_raises_an_alarm_once) {
  park(1, 1, 3);
  sink.answer_at_once(Verdict::retry, "away");
  const auto one = recoverer_of_short();
  live(one, 11h);
  EXPECT_FALSE(one->source.status().near_ttl);
  EXPECT_TRUE(reports.empty());
  live(one, 2h);
  EXPECT_TRUE(one->source.status().near_ttl);
  EXPECT_EQ(reports.size(), 1U);
  live(one, 2h);
  EXPECT_EQ(reports.size(), 1U);
}

TEST_F(ParkedAgeTest, what_comes_near_its_end_is_written_anew_and_delivered_after_any_outage) {
  park(1, 1, 30);
  park(2, 1, 3, Signal::metrics);
  sink.answer_at_once(Verdict::retry, "away");
  const auto one = recoverer_of_short();
  live(one, 60h);  // two and a half lives
  EXPECT_GE(one->source.status().rewritten_chunk_count, 66U);
  EXPECT_EQ(old_store.violation_count(), 0);
  EXPECT_FALSE(one->source.is_drained());
  sink.answer_at_once(Verdict::delivered);
  live(one, 10min);
  EXPECT_TRUE(everything_arrived());
  EXPECT_TRUE(one->source.is_drained());
  EXPECT_TRUE(old_store.quarantined().empty());
}

TEST_F(ParkedAgeTest, what_is_written_anew_keeps_its_place_among_the_metrics_of_its_writer) {
  park(2, 1, 2, Signal::metrics);
  sink.answer_at_once(Verdict::retry, "away");
  const auto one = recoverer_of_short();
  live(one, 15h);
  park(2, 3, 4, Signal::metrics);
  live(one, 6h);  // the first segment is written anew, the second is young
  ASSERT_EQ(one->source.status().rewritten_chunk_count, 2U);
  const std::size_t before = sink.submitted().size();
  sink.answer_at_once(Verdict::delivered);
  live(one, 10min);
  const auto sequences = sink.submitted_sequences();
  EXPECT_EQ(std::vector<std::uint64_t>(sequences.begin() + static_cast<std::ptrdiff_t>(before), sequences.end()),
            (std::vector<std::uint64_t>{1, 2, 3, 4}));
}

TEST_F(ParkedAgeTest, what_ended_undelivered_while_nobody_recovered_is_told_and_never_counted_as_delivered) {
  const SegmentHead head = park(1, 1, 5);
  clock.advance(30h);  // its chunks live for a day
  const auto one = recoverer_of_short();
  live(one, 5min);
  EXPECT_EQ(one->source.status().lost_chunk_count, 5U);
  ASSERT_FALSE(reports.empty());
  EXPECT_NE(reports.back().find("lost"), std::string::npos) << reports.back();
  EXPECT_TRUE(one->source.is_drained());
  live(one, 2h);
  EXPECT_EQ(one->source.status().lost_chunk_count, 5U);  // once
  for (const SegmentEntry& entry : old_store.segments()) {
    if (entry.head.name.id != head.name.id) continue;
    EXPECT_EQ(entry.missing, 50U);
    EXPECT_EQ(entry.replayed_items, ItemCounts{}) << "its writer would count it as delivered";
  }
}

TEST_F(ParkedAgeTest, what_is_written_anew_is_neither_found_nor_missing_where_it_was) {
  const SegmentHead head = park(1, 1, 12);
  old_store.lose_chunk(head.name.id, 5);
  sink.answer_by([](const model::Chunk& chunk) {
    return FakeSink::make(chunk.id, chunk.id.sequence <= 3 ? Verdict::delivered : Verdict::retry);
  });
  const auto one = recoverer_of_short();
  live(one, 20h);
  ASSERT_EQ(one->source.status().rewritten_chunk_count, 8U);
  EXPECT_EQ(one->source.status().lost_chunk_count, 1U);
  for (const SegmentEntry& entry : old_store.segments()) {
    if (entry.head.name.id == head.name.id) {
      EXPECT_TRUE(entry.moved_to);
      EXPECT_EQ(entry.replayed_items[0], 30U);
      EXPECT_EQ(entry.missing, 10U);
      EXPECT_EQ(to_text(entry.gaps), "5");
      EXPECT_EQ(entry.replay_position, 12);
    } else {
      EXPECT_EQ(entry.summary.item_count[0], 80U);
      EXPECT_EQ(entry.summary.chunk_count, 8);
      EXPECT_FALSE(entry.replayed_at);
    }
  }
  sink.answer_at_once(Verdict::delivered);
  live(one, 10min);
  EXPECT_EQ(arrivals().size(), 11U);
  EXPECT_TRUE(one->source.is_drained());
}

// Longer than a lease is kept without anything being delivered: what is written anew is use enough of it.
TEST_F(ParkedAgeTest, a_rewrite_that_takes_its_time_is_not_given_up_and_begun_anew) {
  park(1, 1, 40);
  park(1, 41, 42);
  sink.answer_at_once(Verdict::retry, "away");
  clock.advance(20h);
  const auto one = recoverer_of_short();
  live(one, 1s);
  old_store.hold(StoreCall::put_chunk, FakeParkingStore::Hold::request);
  std::size_t most = 0;
  for (int i = 0; i < 60 && one->source.status().rewritten_chunk_count < 40; ++i) {
    live(one, 3s);
    most = std::max(most, old_store.held_count(StoreCall::put_chunk));
    old_store.deliver(0);
    live(one, 1ms);
  }
  EXPECT_EQ(one->source.status().rewritten_chunk_count, 40U);
  EXPECT_LE(old_store.count(StoreCall::put_chunk), 42U + 42U) << "each once";
  EXPECT_EQ(old_store.count(StoreCall::release_lease), 0U);
  EXPECT_GT(most, 4U) << "several at a time";
  old_store.hold(FakeParkingStore::Hold::none);
  old_store.deliver_all();
  sink.answer_at_once(Verdict::delivered);
  live(one, 10min);
  EXPECT_TRUE(everything_arrived());
  EXPECT_TRUE(one->source.is_drained());
}

TEST_F(ParkedAgeTest, a_rewrite_that_fails_or_dies_on_the_way_loses_nothing) {
  for (int calls = 0; calls < 40; ++calls) {
    SCOPED_TRACE("after " + std::to_string(calls) + " calls");
    sink.answer_at_once(Verdict::retry, "away");
    park(1, 100U * static_cast<std::uint64_t>(calls) + 1, 100U * static_cast<std::uint64_t>(calls) + 7);
    clock.advance(20h);
    int left = calls;
    auto one = recoverer_of_short();
    old_store.fail_by([&left](const fakes::StoreCallRecord& call) -> std::optional<StoreFailure> {
      const bool counts = call.call == StoreCall::put_chunk || call.call == StoreCall::open_segment ||
                          call.call == StoreCall::seal_segment || call.call == StoreCall::read_chunks;
      if (counts && --left < 0) return StoreFailure{.outcome = Outcome::unknown, .applied = left % 2 == 0};
      return std::nullopt;
    });
    live(one, 5min);
    one.reset();
    old_store.heal();
    one = recoverer_of_short();
    live(one, 5min);
    sink.answer_at_once(Verdict::delivered);
    live(one, 5min);
    EXPECT_TRUE(everything_arrived());
    EXPECT_TRUE(one->source.is_drained());
  }
  EXPECT_EQ(old_store.violation_count(), 0);
}

// --- rows ----------------------------------------------------------------------------------------

class ParkedRowsTest : public ParkedSourceTest {
 protected:
  void put_spans(const SegmentHead& head, std::int32_t position, std::uint64_t first_trace) {
    const std::string bytes =
        tests::trace_request({.trace_count = 3, .spans_per_trace = 4, .first_trace = first_trace}).SerializeAsString();
    model::Chunk chunk = chunk_of(head, static_cast<std::uint64_t>(position) + 1);
    chunk.payload = model::Payload::copy_of(base::as_bytes(bytes));
    chunk.item_count = 12;
    put(head, position, chunk);
  }
  std::unique_ptr<Recoverer> recoverer_with_rows() {
    return std::make_unique<Recoverer>(store, sink, clock, random, options(), flow::DispatcherOptions{}, &rows);
  }
  // Lives until the condition holds: the row writer works in its own thread and in real time.
  template <class Condition>
  bool live_until(Recoverer& one, Condition condition) {
    return support::wait_until([&] {
      live({&one}, 1s);
      return condition();
    });
  }

  RowWriter rows{store, clock, {}};
};

TEST_F(ParkedRowsTest, the_rows_of_a_dead_writer_are_completed) {
  const SegmentHead killed = open(1);  // never sealed
  for (std::int32_t i = 0; i < 10; ++i) put_spans(killed, i, 10 * static_cast<std::uint64_t>(i) + 1);
  store.mark_rows(killed.name, 4, [](const StoreStatus&) {});  // the rows of four chunks were written
  const SegmentHead whole = open(2);
  for (std::int32_t i = 0; i < 3; ++i) put_spans(whole, i, 1000 + 10 * static_cast<std::uint64_t>(i));
  seal(whole);
  const auto one = recoverer_with_rows();
  ASSERT_TRUE(
      live_until(*one, [&] { return entry_of(killed).rows_position == 10 && entry_of(whole).rows_position == 3; }));
  EXPECT_EQ(store.rows().size(), 6U * 12U + 3U * 12U);
  EXPECT_TRUE(everything_arrived());
  live(one, 1min);
  EXPECT_FALSE(store.lease(killed.name.shard));
  EXPECT_EQ(one->source.status().leases_held, 0U);
  const std::size_t before = store.count(StoreCall::put_rows);
  live(one, 2h);
  EXPECT_EQ(store.count(StoreCall::put_rows), before);  // once
}

TEST_F(ParkedRowsTest, rows_that_their_writer_still_makes_are_left_to_it) {
  const SegmentHead head = open(1);
  for (std::int32_t i = 0; i < 10; ++i) put_spans(head, i, 10 * static_cast<std::uint64_t>(i) + 1);
  seal(head);
  const auto one = recoverer_with_rows();
  for (std::int32_t i = 1; i <= 10; ++i) {
    live(one, 50s);
    store.mark_rows(head.name, i, [](const StoreStatus&) {});
  }
  live(one, 5min);
  EXPECT_TRUE(is_replayed(head));
  EXPECT_TRUE(store.rows().empty());
}

TEST_F(ParkedRowsTest, the_rows_of_an_archive_are_completed_and_nothing_of_it_is_delivered) {
  const SegmentHead head = open(1, Purpose::archive);
  for (std::int32_t i = 0; i < 5; ++i) put_spans(head, i, 10 * static_cast<std::uint64_t>(i) + 1);
  const auto one = recoverer_with_rows();
  ASSERT_TRUE(live_until(*one, [&] { return is_replayed(head); }));
  EXPECT_EQ(entry_of(head).rows_position, 5);
  EXPECT_EQ(store.rows().size(), 60U);
  EXPECT_TRUE(sink.submitted().empty());
  const std::size_t before = store.count(StoreCall::put_rows);
  live(one, 2h);
  EXPECT_EQ(store.count(StoreCall::put_rows), before);
}

}  // namespace
}  // namespace arca::cassandra
