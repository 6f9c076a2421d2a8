#include "flow/archiving_sink.hpp"

#include "flow/flow_fixture.hpp"
#include "flow/router.hpp"

namespace arca::flow {
namespace {

class ArchivingSinkTest : public FlowFixture {
 protected:
  ArchivingSinkTest() {
    collector.answer_at_once(Verdict::delivered);
    archive.answer_at_once(Verdict::parked);
    build(100);
  }
  void build(std::size_t count_max, ArchivingOptions with = {}) {
    delivered = std::make_shared<DeliveredChunks>(count_max);
    archiving = std::make_unique<ArchivingSink>(guarded, archive, delivered, clock, std::move(with));
    dispatcher = std::make_unique<Dispatcher>(source, *archiving, clock, options());
  }
  void put(std::uint64_t first, std::uint64_t last, Signal signal = Signal::traces) {
    for (std::uint64_t sequence = first; sequence <= last; ++sequence) source.put(make_chunk(sequence, signal));
  }

  FakeSink collector{"collector"};
  FakeSink archive{"archive"};
  GuardedSink guarded{collector, clock, {}, {}};
  std::shared_ptr<DeliveredChunks> delivered;
  std::unique_ptr<ArchivingSink> archiving;
  std::unique_ptr<Dispatcher> dispatcher;
};

TEST_F(ArchivingSinkTest, what_is_delivered_is_archived_too_and_then_acknowledged) {
  archive.answer_later();
  put(1, 3);
  live(*dispatcher, 1ms);
  EXPECT_EQ(collector.submitted().size(), 3U);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 0U) << "the archive has not answered yet";
  archive.ack_all(Verdict::parked);
  settle_down(*dispatcher);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 3U);
  EXPECT_EQ(delivered->count(), 0U);
}

TEST_F(ArchivingSinkTest, only_traces_are_archived) {
  put(1, 1, Signal::metrics);
  put(2, 2, Signal::logs);
  settle_down(*dispatcher);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 2U);
  EXPECT_TRUE(archive.submitted().empty());
}

TEST_F(ArchivingSinkTest, a_chunk_that_the_archive_does_not_take_comes_to_the_collector_once) {
  archive.answer_at_once(Verdict::retry, "away");
  put(1, 5);
  live(*dispatcher, 30s);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 0U);
  EXPECT_EQ(collector.submitted().size(), 5U);
  EXPECT_GT(archive.submitted().size(), 5U) << "it is tried again";
  archive.answer_at_once(Verdict::parked);
  live(*dispatcher, 60s);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 5U);
  EXPECT_EQ(collector.submitted().size(), 5U);
  EXPECT_EQ(delivered->count(), 0U);
}

TEST_F(ArchivingSinkTest, an_archive_that_is_not_ready_or_says_nothing_known_is_asked_again) {
  archive.set_readiness({false, base::never});
  put(1, 1);
  live(*dispatcher, 5s);
  EXPECT_TRUE(archive.submitted().empty());
  archive.set_readiness({});
  archive.answer_at_once(Verdict::unknown, "no answer");
  live(*dispatcher, 5s);
  archive.answer_at_once(Verdict::parked);
  live(*dispatcher, 60s);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 1U);
  EXPECT_EQ(collector.submitted().size(), 1U);
}

TEST_F(ArchivingSinkTest, an_archive_that_fails_leaves_the_breaker_of_the_collector_closed) {
  archive.answer_at_once(Verdict::retry, "away");
  put(1, 20);
  live(*dispatcher, 30s);
  EXPECT_TRUE(guarded.is_closed(Signal::traces));
  EXPECT_EQ(guarded.status(Signal::traces).failure_count, 0U);
}

TEST_F(ArchivingSinkTest, a_partial_success_is_acknowledged_as_the_collector_said_it) {
  collector.answer_by([](const model::Chunk& chunk) {
    model::Ack ack = FakeSink::make(chunk.id, Verdict::delivered);
    ack.refused_item_count = 1;
    ack.tier = model::Tier::journal;
    return std::optional(ack);
  });
  archive.answer_at_once(Verdict::retry, "away");
  put(1, 1);
  live(*dispatcher, 3s);
  archive.answer_at_once(Verdict::parked);
  live(*dispatcher, 60s);
  ASSERT_EQ(source.settled_count(Verdict::delivered), 1U);
  EXPECT_EQ(dispatcher->counters().refused_item_count[0], 1U);
}

TEST_F(ArchivingSinkTest, what_was_parked_is_not_archived_again) {
  collector.answer_at_once(Verdict::parked);
  put(1, 3);
  settle_down(*dispatcher);
  EXPECT_EQ(source.settled_count(Verdict::parked), 3U);
  EXPECT_TRUE(archive.submitted().empty());
}

TEST_F(ArchivingSinkTest, a_lane_that_gets_the_chunk_later_knows_that_it_was_delivered) {
  archive.answer_at_once(Verdict::retry, "away");
  put(1, 1);
  live(*dispatcher, 1s);
  archive.answer_at_once(Verdict::parked);
  ArchivingSink other(guarded, archive, delivered, clock);
  std::optional<model::Ack> answer;
  other.submit(make_chunk(1, Signal::traces), [&](model::Ack ack) { answer = std::move(ack); });
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->verdict, Verdict::delivered);
  EXPECT_EQ(collector.submitted().size(), 1U);
}

TEST_F(ArchivingSinkTest, the_number_of_chunks_that_wait_is_bounded_and_beyond_it_they_are_counted_as_missed) {
  build(3);
  archive.answer_at_once(Verdict::retry, "away");
  put(1, 10);
  live(*dispatcher, 60s);
  EXPECT_EQ(collector.submitted().size(), 10U) << "an archive that is away keeps nothing from the Collector";
  EXPECT_EQ(delivered->count(), 3U);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 7U);
  EXPECT_EQ(delivered->missed_item_count(), 7U * make_chunk(1, Signal::traces).item_count);
  archive.answer_at_once(Verdict::parked);
  live(*dispatcher, 120s);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 10U);
  EXPECT_EQ(collector.submitted().size(), 10U);
  EXPECT_EQ(delivered->count(), 0U);
}

TEST_F(ArchivingSinkTest, where_room_is_short_what_is_delivered_is_acknowledged_without_the_archive) {
  bool room_is_short = false;
  build(100, {.room_is_short = [&] { return room_is_short; }});
  archive.answer_at_once(Verdict::retry, "away");
  put(1, 5);
  live(*dispatcher, 5s);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 0U);
  room_is_short = true;
  put(6, 7);
  live(*dispatcher, 60s);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 7U);
  EXPECT_EQ(collector.submitted().size(), 7U);
  EXPECT_EQ(delivered->count(), 0U);
  EXPECT_EQ(delivered->missed_item_count(), 7U * make_chunk(1, Signal::traces).item_count);
}

}  // namespace
}  // namespace arca::flow
