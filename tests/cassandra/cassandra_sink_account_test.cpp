// What becomes of a writer's segments once they are sealed, law by law.
#include <gtest/gtest.h>

#include "parking_fixture.hpp"
#include "requests.hpp"

namespace {

using namespace arca;
using namespace std::chrono_literals;
using fakes::StoreCall;
using model::Verdict;
using tests::Parking;
using Hold = fakes::FakeParkingStore::Hold;

TEST(CassandraSinkAccount, what_was_replayed_moves_from_parked_to_delivered_and_quarantined) {
  Parking parking;
  parking.submit(1);
  parking.submit(2);
  parking.pass(4s);
  EXPECT_EQ(parking.sink->account().waiting_segment_count, 1U);
  EXPECT_TRUE(parking.sink->account().oldest);
  parking.store.mark_replayed(parking.store.segments()[0].head.name,
                              {.position = 2, .done_at = parking.clock.wall_now(), .quarantined_items = {3, 0, 0}},
                              [](const cassandra::StoreStatus&) {});
  parking.pass(3s);
  const auto account = parking.sink->account();
  EXPECT_EQ(account.parked[0], 20U);
  EXPECT_EQ(account.delivered[0], 17U);
  EXPECT_EQ(account.quarantined[0], 3U);
  EXPECT_EQ(account.waiting_segment_count, 0U);
  EXPECT_FALSE(account.oldest);
}

TEST(CassandraSinkAccount, metrics_are_held_until_their_segment_is_replayed) {
  Parking parking;
  parking.submit(1);
  EXPECT_FALSE(parking.sink->holds_metrics());
  parking.submit(2, model::Signal::metrics);
  EXPECT_TRUE(parking.sink->holds_metrics());
  parking.pass(5s);
  EXPECT_TRUE(parking.sink->holds_metrics());
  for (const auto& segment : parking.store.segments())
    parking.store.mark_replayed(segment.head.name,
                                {.position = 1, .done_at = parking.clock.wall_now(), .quarantined_items = {}},
                                [](const cassandra::StoreStatus&) {});
  parking.pass(3s);
  EXPECT_FALSE(parking.sink->holds_metrics());
}

TEST(CassandraSinkAccount, metrics_keep_to_one_stripe) {
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

TEST(CassandraSinkAccount, a_segment_that_left_the_directory_is_counted_and_no_longer_asked_about) {
  Parking parking;
  parking.submit(1);
  parking.pass(5s);
  parking.clock.advance(std::chrono::hours(24 * 20));
  parking.pass(3s);
  EXPECT_EQ(parking.sink->account().missing_segment_count, 1U);
  EXPECT_EQ(parking.sink->account().waiting_segment_count, 0U);
}

TEST(CassandraSinkAccount, an_archive_is_not_waited_for) {
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
