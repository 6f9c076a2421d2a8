// The laws of segments: when they open, rotate and are sealed, and what becomes of them.
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "parking_fixture.hpp"
#include "requests.hpp"

namespace {

using namespace arca;
using namespace std::chrono_literals;
using cassandra::Outcome;
using fakes::StoreCall;
using model::Verdict;
using tests::Parking;
using Hold = fakes::FakeParkingStore::Hold;

// --- segments ------------------------------------------------------------------------------------

TEST(CassandraSegments, a_segment_is_sealed_with_what_is_in_it) {
  Parking parking;
  const model::Chunk chunk = tests::chunk_of(tests::trace_request(), 1);
  parking.sink->submit(chunk, parking.acks.taker());
  parking.submit(2, model::Signal::logs);
  parking.pass(5s);
  const auto segments = parking.store.segments();
  ASSERT_EQ(segments.size(), 1U);
  ASSERT_TRUE(segments[0].sealed_at);
  EXPECT_EQ(segments[0].head.writer, tests::this_writer);
  EXPECT_EQ(segments[0].head.name.shard, cassandra::shard_of(tests::this_writer));
  const auto& summary = segments[0].summary;
  EXPECT_EQ(summary.chunk_count, 2);
  EXPECT_EQ(summary.item_count[0], 12U);
  EXPECT_EQ(summary.item_count[2], 10U);
  EXPECT_EQ(summary.raw_bytes, chunk.payload.size() + 100);
  EXPECT_EQ(summary.services, (std::vector<std::string>{"service-0", "service-1"}));
  EXPECT_EQ(summary.time_max, base::WallTime(std::chrono::nanoseconds(tests::first_start + 2'003'000)));
}

TEST(CassandraSegments, a_segment_is_not_sealed_while_a_chunk_is_on_its_way_into_it) {
  Parking parking;
  parking.store.hold(StoreCall::put_chunk, Hold::request);
  parking.submit(1);
  parking.pass(29s);
  EXPECT_EQ(parking.store.count(StoreCall::seal_segment), 0U);
  parking.store.deliver();
  parking.pass(3s);
  EXPECT_EQ(parking.store.count(StoreCall::seal_segment), 1U);
}

TEST(CassandraSegments, segments_rotate_by_size_and_by_age) {
  cassandra::CassandraSinkOptions options;
  options.stripe_count = 1;
  options.segment_bytes = 2 * cassandra::pack(fakes::make_chunk(1))->payload->size();
  Parking parking(options);
  parking.submit(1);
  parking.submit(2);
  parking.submit(3);
  parking.pass(1s);
  EXPECT_EQ(parking.store.count(StoreCall::open_segment), 2U);

  options.segment_bytes = cassandra::segment_bytes_max;
  Parking aging(options);
  for (std::uint64_t i = 1; i <= 60; ++i) {
    aging.submit(i);
    aging.pass(1s);
  }
  EXPECT_EQ(aging.store.count(StoreCall::open_segment), 3U);
  EXPECT_EQ(aging.acks.count(Verdict::parked), 60U);
}

TEST(CassandraSegments, sealing_is_tried_until_it_succeeds_or_helps_nobody) {
  Parking parking;
  parking.store.fail_next(StoreCall::seal_segment, 3, {.outcome = Outcome::unknown});
  parking.submit(1);
  parking.pass(10s);
  EXPECT_EQ(parking.store.count(StoreCall::seal_segment), 4U);
  EXPECT_EQ(parking.sink->account().open_segment_count, 0U);
  parking.store.fail_always(StoreCall::seal_segment, {.outcome = Outcome::unknown});
  parking.submit(2);
  parking.pass(60s);
  EXPECT_EQ(parking.sink->account().open_segment_count, 0U);
  EXPECT_EQ(parking.sink->account().waiting_segment_count, 2U);
}

TEST(CassandraSegments, seal_all_leaves_nothing_for_recovery_to_wait_for) {
  Parking parking;
  parking.submit(1);
  EXPECT_TRUE(parking.sink->seal_all(parking.clock.steady_now() + 1s));
  for (const auto& segment : parking.store.segments()) EXPECT_TRUE(segment.sealed_at);
  parking.store.hold(StoreCall::seal_segment, Hold::request);
  parking.submit(2);
  std::jthread time([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      parking.clock.advance(10ms);
      std::this_thread::sleep_for(1ms);
    }
  });
  EXPECT_FALSE(parking.sink->seal_all(parking.clock.steady_now() + 1s));
}

TEST(CassandraSegments, later_segments_bear_later_times_whatever_the_wall_clock_does) {
  Parking parking;
  parking.submit(1);
  parking.pass(5s);
  parking.clock.jump_wall(-1h);
  parking.submit(2);
  const auto opened = parking.store.calls(StoreCall::open_segment);
  ASSERT_EQ(opened.size(), 2U);
  const auto segments = parking.store.segments();
  const bool first_is_first = segments[0].head.name == opened[0].segment;
  EXPECT_LT(segments[first_is_first ? 0 : 1].head.opened_at, segments[first_is_first ? 1 : 0].head.opened_at);
}

// --- what becomes of it --------------------------------------------------------------------------

TEST(CassandraSegments, what_was_replayed_moves_from_parked_to_delivered_and_quarantined) {
  Parking parking;
  parking.submit(1);
  parking.submit(2);
  parking.pass(4s);
  EXPECT_EQ(parking.sink->account().waiting_segment_count, 1U);
  EXPECT_TRUE(parking.sink->account().oldest);
  parking.store.mark_replayed(parking.store.segments()[0].head.name,
                              {.position = 2,
                               .done_at = parking.clock.wall_now(),
                               .quarantined_items = {3, 0, 0},
                               .replayed_items = {20, 0, 0}},
                              [](const cassandra::StoreStatus&) {});
  parking.pass(3s);
  const auto account = parking.sink->account();
  EXPECT_EQ(account.parked[0], 20U);
  EXPECT_EQ(account.delivered[0], 17U);
  EXPECT_EQ(account.quarantined[0], 3U);
  EXPECT_EQ(account.waiting_segment_count, 0U);
  EXPECT_FALSE(account.oldest);
}

TEST(CassandraSegments, metrics_are_held_until_their_segment_is_replayed) {
  Parking parking;
  parking.submit(1);
  EXPECT_FALSE(parking.sink->holds_metrics());
  parking.submit(2, model::Signal::metrics);
  EXPECT_TRUE(parking.sink->holds_metrics());
  parking.pass(5s);
  EXPECT_TRUE(parking.sink->holds_metrics());
  for (const auto& segment : parking.store.segments())
    parking.store.mark_replayed(segment.head.name,
                                {.position = 2, .done_at = parking.clock.wall_now(), .replayed_items = {10, 10, 0}},
                                [](const cassandra::StoreStatus&) {});
  parking.pass(3s);
  EXPECT_FALSE(parking.sink->holds_metrics());
}

TEST(CassandraSegments, metrics_keep_to_one_stripe) {
  Parking parking;
  parking.store.hold(StoreCall::put_chunk, Hold::request);
  for (std::uint64_t i = 1; i <= 6; ++i) parking.submit(i, model::Signal::metrics);
  std::set<cassandra::SegmentName> segments;
  for (const auto& put : parking.store.calls(StoreCall::put_chunk)) segments.insert(put.segment);
  EXPECT_EQ(segments.size(), 1U);
  for (std::uint64_t i = 7; i <= 20; ++i) parking.submit(i);
  for (const auto& put : parking.store.calls(StoreCall::put_chunk)) segments.insert(put.segment);
  EXPECT_EQ(segments.size(), 2U);
}

TEST(CassandraSegments, a_segment_that_left_the_directory_is_counted_and_no_longer_asked_about) {
  Parking parking;
  parking.submit(1);
  parking.pass(5s);
  parking.clock.advance(std::chrono::hours(24 * 20));
  parking.pass(3s);
  EXPECT_EQ(parking.sink->account().missing_segment_count, 1U);
  EXPECT_EQ(parking.sink->account().waiting_segment_count, 0U);
  EXPECT_EQ(parking.sink->account().lost[0], 10U);
}

// Its row in the directory lives a day longer than its chunks.
TEST(CassandraSegments, a_segment_that_has_outlived_its_chunks_is_lost_and_holds_up_no_metrics) {
  cassandra::CassandraSinkOptions options;
  Parking parking(options);
  parking.submit(1, model::Signal::metrics);
  parking.pass(5s);
  parking.clock.advance(options.chunk_ttl);
  parking.pass(options.lifetime + options.margin, 1s);
  EXPECT_EQ(parking.store.segments().size(), 1U);
  parking.pass(5s);
  EXPECT_EQ(parking.sink->account().lost[model::index_of(model::Signal::metrics)], 10U);
  EXPECT_EQ(parking.sink->account().waiting_segment_count, 0U);
  EXPECT_FALSE(parking.sink->holds_metrics());
}

// What a recoverer has said of the only segment there is.
void mark(Parking& parking, const cassandra::ParkingStore::Progress& progress) {
  parking.store.mark_replayed(parking.store.segments()[0].head.name, progress, [](const cassandra::StoreStatus&) {});
}

TEST(CassandraSegments, what_a_recoverer_did_not_find_is_lost_and_not_delivered) {
  Parking parking;
  parking.submit(1);
  parking.submit(2);
  parking.submit(3, model::Signal::logs);
  parking.pass(4s);
  cassandra::Gaps gaps;
  gaps.add(1, 1);
  mark(parking, {.position = 3,
                 .done_at = parking.clock.wall_now(),
                 .quarantined_items = {4, 0, 0},
                 .replayed_items = {10, 0, 10},
                 .gaps = gaps,
                 .missing = 10});
  parking.pass(3s);
  const auto account = parking.sink->account();
  EXPECT_EQ(account.delivered, (cassandra::ItemCounts{6, 0, 10}));
  EXPECT_EQ(account.quarantined, (cassandra::ItemCounts{4, 0, 0}));
  EXPECT_EQ(account.lost, (cassandra::ItemCounts{10, 0, 0}));
  EXPECT_EQ(account.waiting_segment_count, 0U);
}

TEST(CassandraSegments, a_chunk_that_the_writer_does_not_count_makes_up_for_none_that_is_lost) {
  cassandra::CassandraSinkOptions options;
  options.stripe_count = 1;
  Parking parking(options);
  parking.store.hold(StoreCall::put_chunk, Hold::answer);
  parking.submit(1);
  parking.submit(2);
  parking.store.deliver(0, fakes::StoreFailure{.outcome = Outcome::refused});  // it lies there, and nobody counts it
  parking.store.deliver(0);
  parking.store.hold(Hold::none);
  parking.pass(4s);
  const auto sealed = parking.store.segments()[0].summary;
  EXPECT_EQ(sealed.uncounted, (std::vector<cassandra::UncountedChunk>{{0, model::Signal::traces, 10}}));
  EXPECT_EQ(sealed.item_count[0], 10U);
  cassandra::Gaps gaps;
  gaps.add(1, 1);
  mark(parking,
       {.position = 2, .done_at = parking.clock.wall_now(), .replayed_items = {10, 0, 0}, .gaps = gaps, .missing = 10});
  parking.pass(3s);
  EXPECT_EQ(parking.sink->account().lost[0], 10U);
  EXPECT_EQ(parking.sink->account().delivered[0], 0U);
}

TEST(CassandraSegments, an_end_that_knew_no_seal_is_not_believed_until_all_is_found) {
  Parking parking;
  parking.store.fail_always(StoreCall::seal_segment, {.outcome = Outcome::not_taken});
  parking.submit(1);
  parking.submit(2);
  parking.pass(60s);
  ASSERT_EQ(parking.sink->account().waiting_segment_count, 1U);
  mark(parking, {.position = 1, .done_at = parking.clock.wall_now(), .replayed_items = {10, 0, 0}});
  parking.store.heal();
  parking.pass(3s);
  EXPECT_EQ(parking.sink->account().waiting_segment_count, 1U);
  EXPECT_TRUE(parking.store.segments()[0].sealed_at) << "so that a recoverer looks again";
  mark(parking, {.position = 2, .done_at = parking.clock.wall_now(), .replayed_items = {20, 0, 0}, .missing = 0});
  parking.pass(3s);
  EXPECT_EQ(parking.sink->account().delivered[0], 20U);
  EXPECT_EQ(parking.sink->account().lost[0], 0U);
}

TEST(CassandraSegments, a_segment_that_was_written_anew_is_followed_to_where_its_chunks_are) {
  Parking parking;
  for (std::uint64_t i = 1; i <= 4; ++i) parking.submit(i);
  parking.submit(5, model::Signal::metrics);
  parking.pass(4s);
  const auto from = parking.store.segments()[0].head;
  auto to = from;
  to.name.id = cassandra::random_uuid(parking.random);
  to.name.bucket += cassandra::bucket_length;
  parking.store.open_segment(to, [](const cassandra::StoreStatus&) {});
  parking.store.mark_replayed(from.name,
                              {.position = 5,
                               .done_at = parking.clock.wall_now(),
                               .quarantined_items = {2, 0, 0},
                               .replayed_items = {10, 0, 0},
                               .missing = 0,
                               .moved_to = to.name},
                              [](const cassandra::StoreStatus&) {});
  parking.pass(10s);
  EXPECT_EQ(parking.sink->account().delivered[0], 0U);
  EXPECT_EQ(parking.sink->account().waiting_segment_count, 1U);
  EXPECT_TRUE(parking.sink->holds_metrics());
  cassandra::SegmentSummary moved;
  moved.chunk_count = 4;
  moved.item_count = {30, 10, 0};
  parking.store.seal_segment(to.name, parking.clock.wall_now(), moved, [](const cassandra::StoreStatus&) {});
  cassandra::Gaps gaps;
  gaps.add(3, 3);
  parking.store.mark_replayed(to.name,
                              {.position = 4,
                               .done_at = parking.clock.wall_now(),
                               .quarantined_items = {1, 0, 0},
                               .replayed_items = {20, 10, 0},
                               .gaps = gaps,
                               .missing = 10},
                              [](const cassandra::StoreStatus&) {});
  parking.pass(3s);
  const auto account = parking.sink->account();
  EXPECT_EQ(account.delivered, (cassandra::ItemCounts{27, 10, 0}));
  EXPECT_EQ(account.quarantined[0], 3U);
  EXPECT_EQ(account.lost, (cassandra::ItemCounts{10, 0, 0}));
  EXPECT_FALSE(parking.sink->holds_metrics());
}

TEST(CassandraSegments, an_archive_is_not_waited_for) {
  cassandra::CassandraSinkOptions options;
  options.purpose = cassandra::Purpose::archive;
  Parking parking(options);
  parking.submit(1, model::Signal::metrics);
  parking.pass(5s);
  EXPECT_FALSE(parking.sink->holds_metrics());
  EXPECT_EQ(parking.sink->account().waiting_segment_count, 0U);
  EXPECT_EQ(parking.store.segments()[0].head.purpose, cassandra::Purpose::archive);
  EXPECT_EQ(parking.store.count(StoreCall::read_segment), 0U);
}

}  // namespace
