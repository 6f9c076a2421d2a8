// The laws of parking, each by its name.
#include <gtest/gtest.h>

#include <thread>

#include "parking_fixture.hpp"
#include "requests.hpp"

namespace {

using namespace arca;
using namespace std::chrono_literals;
using cassandra::Outcome;
using cassandra::Refusal;
using fakes::StoreCall;
using model::Verdict;
using tests::Parking;
using Hold = fakes::FakeParkingStore::Hold;

TEST(CassandraSink, a_chunk_is_parked_once_the_store_acknowledged_it) {
  Parking parking;
  parking.store.hold(StoreCall::put_chunk, Hold::answer);
  parking.submit(1);
  EXPECT_TRUE(parking.acks.all().empty());
  parking.store.deliver();
  ASSERT_EQ(parking.acks.all().size(), 1U);
  EXPECT_EQ(parking.acks.all()[0].verdict, Verdict::parked);
  EXPECT_EQ(parking.acks.all()[0].tier, model::Tier::cassandra);
  EXPECT_EQ(parking.sink->account().parked[0], 10U);
}

TEST(CassandraSink, the_directory_row_is_acknowledged_before_the_first_chunk_is_sent) {
  Parking parking;
  parking.store.hold(StoreCall::open_segment, Hold::answer);
  parking.submit(1);
  parking.submit(2);
  EXPECT_EQ(parking.store.count(StoreCall::put_chunk), 0U);
  parking.store.deliver_all();
  EXPECT_EQ(parking.store.count(StoreCall::put_chunk), 2U);
  EXPECT_EQ(parking.acks.count(Verdict::parked), 2U);
  EXPECT_EQ(parking.store.violation_count(), 0);
}

TEST(CassandraSink, ids_and_bytes_are_unchanged) {
  Parking parking;
  const model::Chunk chunk = tests::chunk_of(tests::trace_request(), 5);
  parking.sink->submit(chunk, parking.acks.taker());
  const auto segments = parking.store.segments();
  ASSERT_EQ(segments.size(), 1U);
  const auto chunks = parking.store.chunks(segments[0].head.name.id);
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_EQ(chunks[0].id, chunk.id);
  EXPECT_EQ(cassandra::unpack(chunks[0])->payload.flatten(), chunk.payload.flatten());
}

TEST(CassandraSink, every_repetition_is_the_same_statement_with_the_same_timestamp) {
  Parking parking;
  parking.store.fail_next(StoreCall::put_chunk, 5, {.outcome = Outcome::unknown, .applied = true});
  parking.submit(1);
  parking.clock.jump_wall(1h);
  parking.pass(8s);
  const auto puts = parking.store.calls(StoreCall::put_chunk);
  ASSERT_EQ(puts.size(), 6U);
  for (const auto& put : puts) {
    EXPECT_EQ(put.timestamp_us, puts[0].timestamp_us);
    EXPECT_EQ(put.position, puts[0].position);
    EXPECT_EQ(put.segment, puts[0].segment);
  }
  EXPECT_EQ(parking.store.violation_count(), 0);
  EXPECT_EQ(parking.acks.count(Verdict::parked), 1U);
}

TEST(CassandraSink, an_acknowledgement_that_comes_too_late_does_not_count) {
  Parking parking;
  parking.store.hold(StoreCall::put_chunk, Hold::answer);
  parking.submit(1);
  parking.freeze(cassandra::segment_lifetime);
  parking.store.hold(Hold::none);
  parking.store.deliver();
  parking.sink->tend(parking.clock.steady_now());
  ASSERT_EQ(parking.acks.count(Verdict::parked), 1U);
  EXPECT_EQ(parking.sink->account().parked_anew_count, 1U);
  const auto puts = parking.store.calls(StoreCall::put_chunk);
  ASSERT_EQ(puts.size(), 2U);
  EXPECT_NE(puts[0].segment, puts[1].segment);
  EXPECT_EQ(puts[0].chunk_id, puts[1].chunk_id);
  EXPECT_EQ(parking.sink->account().parked[0], 10U);  // counted once
}

TEST(CassandraSink, sleep_of_the_machine_counts_as_age) {
  Parking parking;
  parking.store.hold(StoreCall::put_chunk, Hold::answer);
  parking.submit(1);
  parking.clock.suspend(10min);
  parking.store.deliver();
  EXPECT_EQ(parking.acks.count(Verdict::parked), 0U);
  EXPECT_EQ(parking.sink->account().parked_anew_count, 1U);
}

TEST(CassandraSink, a_process_that_is_frozen_again_and_again_gives_up_as_unknown) {
  Parking parking;
  parking.store.hold(StoreCall::put_chunk, Hold::answer);
  parking.submit(1);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(parking.acks.all().empty());
    parking.freeze(1min);
    parking.store.deliver();
  }
  EXPECT_EQ(parking.acks.count(Verdict::unknown), 1U);
}

TEST(CassandraSink, what_was_surely_not_written_goes_to_the_next_tier_soon) {
  Parking parking;
  parking.store.fail_always(StoreCall::put_chunk, {.outcome = Outcome::not_taken, .message = "unavailable"});
  parking.submit(1);
  parking.pass(parking.options.retry_time + 1s);
  ASSERT_EQ(parking.acks.count(Verdict::retry), 1U);
  EXPECT_NE(parking.acks.all()[0].reason.find("unavailable"), std::string::npos);
  EXPECT_GT(parking.store.count(StoreCall::put_chunk), 2U);
}

TEST(CassandraSink, what_is_of_unknown_outcome_is_tried_until_its_segment_is_too_old_and_then_unknown) {
  Parking parking;
  parking.store.fail_always(StoreCall::put_chunk, {.outcome = Outcome::unknown});
  parking.submit(1);
  parking.pass(20s);
  EXPECT_TRUE(parking.acks.all().empty());
  parking.pass(12s);
  EXPECT_EQ(parking.acks.count(Verdict::unknown), 1U);
  for (const auto& put : parking.store.calls(StoreCall::put_chunk))
    EXPECT_EQ(put.segment, parking.store.calls(StoreCall::put_chunk)[0].segment);
}

TEST(CassandraSink, a_refusal_says_what_to_do_and_when_to_ask_again) {
  Parking parking;
  parking.store.fail_next(StoreCall::open_segment, 1,
                          {.outcome = Outcome::refused, .refusal = Refusal::schema, .message = "unconfigured table"});
  parking.submit(1);
  ASSERT_EQ(parking.acks.count(Verdict::retry), 1U);
  EXPECT_NE(parking.acks.all()[0].reason.find("unconfigured table"), std::string::npos);
  EXPECT_NE(parking.acks.all()[0].reason.find("arca schema apply"), std::string::npos);
  EXPECT_GE(parking.acks.all()[0].retry_after.value_or(0s), 1s);
  parking.store.fail_next(StoreCall::put_chunk, 1, {.outcome = Outcome::refused, .refusal = Refusal::authentication});
  parking.submit(2);
  EXPECT_EQ(parking.acks.count(Verdict::retry), 2U);
  parking.submit(3);
  EXPECT_EQ(parking.acks.count(Verdict::parked), 1U);
}

TEST(CassandraSink, a_cluster_that_is_away_costs_a_chunk_little_time) {
  Parking parking;
  parking.store.fail_always({.outcome = Outcome::not_sent, .message = "not connected"});
  parking.submit(1);
  parking.pass(1s);
  EXPECT_EQ(parking.acks.count(Verdict::retry), 1U);
}

TEST(CassandraSink, a_chunk_too_large_for_a_row_goes_to_the_next_tier) {
  Parking parking;
  model::Chunk chunk = fakes::make_chunk(1);
  std::vector<std::byte> noise(cassandra::stored_bytes_max + 1000);
  for (std::byte& byte : noise) byte = static_cast<std::byte>(parking.random.next());
  chunk.payload = model::Payload::own(std::move(noise));
  parking.sink->submit(chunk, parking.acks.taker());
  ASSERT_EQ(parking.acks.count(Verdict::retry), 1U);
  EXPECT_TRUE(parking.store.calls().empty());
}

TEST(CassandraSink, no_more_chunks_than_allowed_are_under_way) {
  cassandra::CassandraSinkOptions options;
  options.in_flight_max = 2;
  Parking parking(options);
  parking.store.hold(StoreCall::put_chunk, Hold::request);
  const auto ready = [&] { return parking.sink->readiness(model::Signal::traces, parking.clock.steady_now()).ready; };
  parking.submit(1);
  EXPECT_TRUE(ready());
  parking.submit(2);
  EXPECT_FALSE(ready());
  parking.store.deliver();
  EXPECT_TRUE(ready());
  parking.store.set_window(false);
  EXPECT_FALSE(ready());
}

// --- the end -------------------------------------------------------------------------------------

TEST(CassandraSink, cancel_answers_everything_as_unknown_and_the_sink_stays_usable) {
  Parking parking;
  parking.store.hold(StoreCall::put_chunk, Hold::request);
  parking.submit(1);
  parking.sink->cancel_all();
  EXPECT_EQ(parking.acks.count(Verdict::unknown), 1U);
  parking.store.deliver();  // late: it is not counted, whoever cancelled parks it again
  EXPECT_EQ(parking.acks.all().size(), 1U);
  EXPECT_EQ(parking.sink->account().parked[0], 0U);
  parking.store.hold(Hold::none);
  parking.submit(2);
  EXPECT_EQ(parking.acks.count(Verdict::parked), 1U);
  parking.pass(5s);
  EXPECT_EQ(parking.sink->account().open_segment_count, 0U);
}

TEST(CassandraSink, answers_may_come_after_its_end) {
  Parking parking;
  parking.store.hold(StoreCall::put_chunk, Hold::answer);
  parking.store.hold(StoreCall::open_segment, Hold::none);
  parking.submit(1);
  parking.sink.reset();
  EXPECT_EQ(parking.acks.count(Verdict::unknown), 1U);
  parking.store.deliver_all();
  EXPECT_EQ(parking.acks.all().size(), 1U);
}

TEST(CassandraSink, it_serves_many_threads_at_once) {
  Parking parking;
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&parking, thread] {
        for (std::uint64_t i = 1; i <= 200; ++i) parking.submit(thread * 1000 + i);
      });
    }
    for (int i = 0; i < 100; ++i) {
      parking.sink->tend(parking.clock.steady_now());
      parking.clock.advance(10ms);
      (void)parking.sink->account();
    }
  }
  EXPECT_EQ(parking.acks.count(Verdict::parked), 800U);
  EXPECT_EQ(parking.store.violation_count(), 0);
}

}  // namespace
