#include "flow/router.hpp"

#include "flow/flow_fixture.hpp"

namespace arca::flow {
namespace {

// A Collector, Cassandra (takes chunks during an outage) and a disk (takes them under pressure), with a dispatcher in
// front.
class RouterTest : public FlowFixture {
 protected:
  RouterTest() {
    collector.answer_at_once(Verdict::delivered);
    disk.answer_at_once(Verdict::parked);
    cassandra.answer_at_once(Verdict::parked);
  }
  Random longest() {
    return [this] { return chance; };
  }
  OverflowTier disk_tier() {
    return {.sink = &guarded_disk, .when = ParkWhen::pressure, .holds_metrics = [this] { return disk_holds_metrics; }};
  }
  OverflowTier cassandra_tier() {
    return {.sink = &guarded_cassandra, .when = ParkWhen::outage, .holds_metrics = [this] {
              return cassandra_holds_metrics;
            }};
  }
  void build(std::vector<OverflowTier> tiers) {
    router = std::make_unique<Router>(guarded_collector, clock, std::move(tiers),
                                      RouterOptions{.pressure = [this] { return pressure; }});
    dispatcher = std::make_unique<Dispatcher>(source, *router, clock, options());
  }
  void put(std::uint64_t first, std::uint64_t last, Signal signal = Signal::traces) {
    for (std::uint64_t sequence = first; sequence <= last; ++sequence) source.put(make_chunk(sequence, signal));
  }
  BreakerState breaker(Signal signal = Signal::traces) { return guarded_collector.status(signal).state; }

  double pressure = 0.0;
  bool disk_holds_metrics = false;
  bool cassandra_holds_metrics = false;
  FakeSink collector{"collector"};
  FakeSink cassandra{"cassandra"};
  FakeSink disk{"disk"};
  GuardedSink guarded_collector{collector, clock, {}, longest()};
  GuardedSink guarded_cassandra{cassandra, clock, {}, longest()};
  GuardedSink guarded_disk{disk, clock, {}, longest()};
  std::unique_ptr<Router> router;
  std::unique_ptr<Dispatcher> dispatcher;
};

TEST_F(RouterTest, everything_goes_to_a_collector_that_works) {
  build({cassandra_tier(), disk_tier()});
  put(1, 20);
  settle_down(*dispatcher);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 20U);
  EXPECT_TRUE(disk.submitted().empty());
  EXPECT_TRUE(cassandra.submitted().empty());
}

TEST_F(RouterTest, a_silent_collector_opens_the_breaker_and_chunks_wait_in_the_pool_while_there_is_room) {
  build({disk_tier()});
  collector.answer_at_once(Verdict::unknown, "no answer within 10 s");
  put(1, 20);
  const int wake_count = live(*dispatcher, 60s);
  EXPECT_EQ(source.backlog().chunk_count, 20U);
  EXPECT_EQ(breaker(), BreakerState::open);
  EXPECT_LE(wake_count, 60 * 5);  // the tries of the breaker, and a look at the other signals now and then
  EXPECT_EQ(router->status()[0].signals[0].last_error, "no answer within 10 s");
  EXPECT_TRUE(router->status()[0].signals[0].next_try_at);
}

TEST_F(RouterTest, under_pressure_a_disk_takes_what_the_collector_does_not) {
  build({disk_tier()});
  collector.answer_at_once(Verdict::unknown);
  put(1, 20);
  live(*dispatcher, 1ms);
  pressure = 0.5;
  live(*dispatcher, 10s);
  EXPECT_GE(source.settled_count(Verdict::parked), 19U);  // one is always out to try the Collector
}

TEST_F(RouterTest, cassandra_takes_chunks_as_soon_as_the_breaker_is_open) {
  build({cassandra_tier(), disk_tier()});
  collector.answer_at_once(Verdict::unknown);
  put(1, 20);
  live(*dispatcher, 5s);
  EXPECT_TRUE(disk.submitted().empty());
  EXPECT_GE(source.settled_count(Verdict::parked), 19U);
}

TEST_F(RouterTest, a_collector_that_comes_back_gets_one_chunk_first_and_then_all) {
  build({disk_tier()});
  collector.answer_at_once(Verdict::unknown);
  put(1, 20);
  live(*dispatcher, 60s);
  collector.answer_later();
  live(*dispatcher, 60s);
  EXPECT_EQ(collector.pending_count(), 1U);
  EXPECT_EQ(breaker(), BreakerState::half_open);
  collector.ack(0, Verdict::delivered);
  collector.answer_at_once(Verdict::delivered);
  live(*dispatcher, 30s);
  EXPECT_EQ(breaker(), BreakerState::closed);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 20U);
}

TEST_F(RouterTest, after_an_outage_of_any_length_everything_is_delivered_within_seconds_of_its_end) {
  build({disk_tier()});
  collector.answer_at_once(Verdict::retry, "data refused due to high memory usage");
  put(1, 20);
  put(21, 25, Signal::metrics);
  live(*dispatcher, 3h);
  collector.answer_at_once(Verdict::delivered);
  live(*dispatcher, 10s);  // the wait of the breaker and that of a chunk
  EXPECT_EQ(source.settled_count(Verdict::delivered), 25U);
}

TEST_F(RouterTest, a_flapping_collector_loses_nothing) {
  build({disk_tier()});
  int turn = 0;
  collector.answer_by([&turn](const model::Chunk& chunk) {
    return FakeSink::make(chunk.id, ++turn % 10 < 7 ? Verdict::retry : Verdict::delivered);
  });
  put(1, 100);
  live(*dispatcher, 2h);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 100U);
}

TEST_F(RouterTest, sustained_overload_keeps_the_collector_busy_and_parks_the_rest) {
  build({disk_tier()});
  collector.answer_later();
  pressure = 0.9;
  put(1, 50);
  settle_down(*dispatcher);
  EXPECT_EQ(collector.pending_count(), 4U);
  EXPECT_EQ(source.settled_count(Verdict::parked), 46U);
}

TEST_F(RouterTest, between_the_marks_a_collector_that_takes_what_it_can_is_waited_for) {
  build({disk_tier()});
  collector.answer_later();
  pressure = 0.6;
  put(1, 50);
  settle_down(*dispatcher);
  EXPECT_EQ(collector.pending_count(), 4U);
  EXPECT_EQ(source.settled_count(Verdict::parked), 0U);
}

TEST_F(RouterTest, without_pressure_what_exceeds_the_window_waits) {
  build({disk_tier()});
  collector.answer_later();
  put(1, 50);
  EXPECT_EQ(settle_down(*dispatcher), base::never);
  EXPECT_EQ(collector.pending_count(), 4U);
  EXPECT_EQ(source.claimed_count(), 4U);
}

TEST_F(RouterTest, a_failing_endpoint_of_one_signal_does_not_stop_the_others) {
  build({disk_tier()});
  collector.answer_by([](const model::Chunk& chunk) {
    return FakeSink::make(chunk.id, chunk.signal == Signal::logs ? Verdict::retry : Verdict::delivered);
  });
  put(1, 10, Signal::logs);
  put(11, 30, Signal::traces);
  live(*dispatcher, 60s);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 20U);
  EXPECT_NE(breaker(Signal::logs), BreakerState::closed);
  EXPECT_EQ(breaker(Signal::traces), BreakerState::closed);
}

TEST_F(RouterTest, a_wait_that_the_server_names_holds_for_all_chunks_of_the_signal) {
  build({disk_tier()});
  collector.answer_by([](const model::Chunk& chunk) {
    model::Ack ack = FakeSink::make(chunk.id, Verdict::retry, "429");
    ack.retry_after = 20s;
    return ack;
  });
  put(1, 10);
  settle_down(*dispatcher);
  const std::size_t sent = collector.submitted().size();
  live(*dispatcher, 19s);
  EXPECT_EQ(collector.submitted().size(), sent);
  collector.answer_at_once(Verdict::delivered);
  live(*dispatcher, 2s);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 10U);
}

TEST_F(RouterTest, live_metrics_are_parked_behind_parked_metrics) {
  build({disk_tier()});
  disk_holds_metrics = true;
  put(1, 3, Signal::metrics);
  put(4, 6, Signal::traces);
  settle_down(*dispatcher);
  EXPECT_EQ(disk.submitted_sequences(), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(collector.submitted_sequences(), (std::vector<std::uint64_t>{4, 5, 6}));
  disk_holds_metrics = false;
  put(7, 7, Signal::metrics);
  settle_down(*dispatcher);
  EXPECT_EQ(collector.submitted_sequences().back(), 7U);
}

TEST_F(RouterTest, metrics_wait_when_the_tier_that_holds_metrics_takes_no_more) {
  build({cassandra_tier(), disk_tier()});
  disk_holds_metrics = true;
  disk.set_readiness({.ready = false, .ask_again_at = now() + 5s});
  put(1, 1, Signal::metrics);
  live(*dispatcher, 5s);
  EXPECT_TRUE(collector.submitted().empty());
  EXPECT_TRUE(cassandra.submitted().empty());
  disk.set_readiness({});
  live(*dispatcher, 1s);
  EXPECT_EQ(disk.submitted_sequences(), (std::vector<std::uint64_t>{1}));
}

TEST_F(RouterTest, a_tier_that_refuses_hands_its_chunk_to_the_next) {
  build({cassandra_tier(), disk_tier()});
  collector.answer_at_once(Verdict::unknown);
  cassandra.answer_at_once(Verdict::retry, "no host available");
  pressure = 0.8;
  put(1, 20);
  live(*dispatcher, 10s);
  EXPECT_GE(source.settled_count(Verdict::parked), 19U);
  EXPECT_LE(cassandra.submitted().size(), 8U);  // its own breaker keeps it from being asked for each chunk
}

TEST_F(RouterTest, a_metric_chunk_that_is_always_the_one_that_tries_the_collector_is_parked_all_the_same) {
  build({cassandra_tier(), disk_tier()});
  collector.answer_at_once(Verdict::retry, "connection refused");
  put(1, 10, Signal::metrics);
  live(*dispatcher, 20s);
  EXPECT_EQ(source.settled_count(Verdict::parked), 10U);
  EXPECT_EQ(cassandra.submitted_sequences(), (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
}

TEST_F(RouterTest, what_a_collector_refuses_that_works_is_not_parked) {
  build({cassandra_tier()});
  int turn = 0;
  collector.answer_by([&turn](const model::Chunk& chunk) {
    return FakeSink::make(chunk.id, ++turn == 1 ? Verdict::retry : Verdict::delivered);
  });
  put(1, 10);
  live(*dispatcher, 10s);
  EXPECT_TRUE(cassandra.submitted().empty());
  EXPECT_EQ(source.settled_count(Verdict::delivered), 10U);
}

TEST_F(RouterTest, what_the_collector_may_have_taken_is_not_handed_on) {
  build({cassandra_tier()});
  int turn = 0;
  collector.answer_by([&turn](const model::Chunk& chunk) {
    return FakeSink::make(chunk.id, ++turn <= 3 ? Verdict::unknown : Verdict::delivered);
  });
  put(1, 1, Signal::metrics);
  live(*dispatcher, 1min);
  EXPECT_TRUE(cassandra.submitted().empty());
  EXPECT_EQ(source.settled_count(Verdict::delivered), 1U);
}

TEST_F(RouterTest, a_tier_for_outages_takes_nothing_while_the_collector_takes_what_it_can) {
  build({cassandra_tier(), disk_tier()});
  collector.answer_later();
  put(1, 50);
  live(*dispatcher, 1s);
  EXPECT_TRUE(cassandra.submitted().empty());
  pressure = 0.9;  // but under pressure it takes the rest
  put(51, 51);
  live(*dispatcher, 1s);
  EXPECT_EQ(cassandra.submitted().size(), 47U);
  EXPECT_TRUE(disk.submitted().empty());
}

TEST_F(RouterTest, metrics_queue_behind_the_last_tier_that_holds_metrics) {
  build({cassandra_tier(), disk_tier()});
  cassandra_holds_metrics = true;
  disk_holds_metrics = true;  // Cassandra was away for a while
  put(1, 3, Signal::metrics);
  settle_down(*dispatcher);
  EXPECT_EQ(disk.submitted_sequences(), (std::vector<std::uint64_t>{1, 2, 3}));
  disk_holds_metrics = false;
  pressure = 0.9;
  put(4, 6, Signal::metrics);
  settle_down(*dispatcher);
  EXPECT_EQ(cassandra.submitted_sequences(), (std::vector<std::uint64_t>{4, 5, 6}));
  EXPECT_TRUE(collector.submitted().empty());
}

TEST_F(RouterTest, metrics_wait_for_the_last_one_in_a_tier_for_outages_while_the_collector_works) {
  build({cassandra_tier(), disk_tier()});
  cassandra_holds_metrics = true;
  put(1, 3, Signal::metrics);
  put(4, 6);
  EXPECT_LE(live(*dispatcher, 10s), 60) << "a look now and then";
  EXPECT_TRUE(cassandra.submitted().empty()) << "they would follow each other there for ever";
  EXPECT_EQ(collector.submitted_sequences(), (std::vector<std::uint64_t>{4, 5, 6}));
  cassandra_holds_metrics = false;
  live(*dispatcher, 1s);
  EXPECT_EQ(collector.submitted_sequences(), (std::vector<std::uint64_t>{4, 5, 6, 1, 2, 3}));
}

TEST_F(RouterTest, in_an_outage_metrics_queue_behind_those_in_a_tier_for_outages) {
  build({cassandra_tier(), disk_tier()});
  collector.answer_at_once(Verdict::retry, "connection refused");
  put(1, 2, Signal::metrics);
  live(*dispatcher, 20s);
  ASSERT_EQ(source.settled_count(Verdict::parked), 2U);
  cassandra_holds_metrics = true;
  collector.answer_at_once(Verdict::delivered);  // but its breaker does not know yet
  put(3, 4, Signal::metrics);
  live(*dispatcher, 20s);
  EXPECT_EQ(cassandra.submitted_sequences(), (std::vector<std::uint64_t>{1, 2, 3, 4}));
}

TEST_F(RouterTest, under_pressure_metrics_pass_a_tier_that_holds_metrics_and_refuses_more_to_a_later_one_only) {
  build({cassandra_tier(), disk_tier()});
  cassandra_holds_metrics = true;
  cassandra.answer_at_once(Verdict::retry, "no host available");
  put(1, 3, Signal::metrics);
  live(*dispatcher, 10s);
  EXPECT_TRUE(disk.submitted().empty());
  pressure = 0.9;
  live(*dispatcher, 10s);
  EXPECT_EQ(disk.submitted_sequences(), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_TRUE(collector.submitted().empty());
}

TEST_F(RouterTest, every_tier_down_is_survived_without_a_busy_loop) {
  build({cassandra_tier(), disk_tier()});
  collector.answer_at_once(Verdict::unknown);
  cassandra.answer_at_once(Verdict::retry);
  disk.answer_at_once(Verdict::retry, "disk is full");
  pressure = 1.0;
  put(1, 20);
  EXPECT_LE(live(*dispatcher, 10min), 600 * 5);
  EXPECT_EQ(source.backlog().chunk_count, 20U);
  disk.answer_at_once(Verdict::parked);
  live(*dispatcher, 1min);
  EXPECT_GE(source.settled_count(Verdict::parked), 19U);
}

TEST_F(RouterTest, a_sink_that_answers_twice_does_not_upset_the_window) {
  build({disk_tier()});
  collector.answer_later();
  put(1, 20);
  settle_down(*dispatcher);
  for (int i = 0; i < 10; ++i) {
    const model::AckCallback again = collector.pending_callback(0);
    const model::ChunkId id = collector.pending_id(0);
    collector.ack(0, Verdict::delivered);
    again(FakeSink::make(id, Verdict::delivered));
    settle_down(*dispatcher);
    EXPECT_EQ(collector.pending_count(), 4U);
  }
  EXPECT_EQ(dispatcher->counters().ignored_ack_count, 10U);
}

TEST_F(RouterTest, two_doors_to_one_peer_share_what_is_known_of_it) {
  FakeSink other_door{"other door"};
  other_door.answer_at_once(Verdict::delivered);
  GuardedSink guarded_other(other_door, guarded_collector);
  fakes::FakeSource dead;
  Dispatcher recovery(dead, guarded_other, clock, options());
  collector.answer_at_once(Verdict::unknown);
  build({disk_tier()});
  put(1, 3);
  settle_down(*dispatcher);  // the first door finds the peer away
  dead.put(make_chunk(1, Signal::traces, 10, 100, 2));
  settle_down(recovery);
  EXPECT_TRUE(other_door.submitted().empty());
  clock.advance(2s);
  settle_down(recovery);  // the second finds it back
  EXPECT_EQ(other_door.submitted_sequences(), (std::vector<std::uint64_t>{1}));
  EXPECT_EQ(breaker(), BreakerState::closed);
  EXPECT_EQ(guarded_other.name(), "other door");
}

TEST_F(RouterTest, two_lanes_share_what_is_known_of_the_collector) {
  build({disk_tier()});
  fakes::FakeSource dead;
  Dispatcher recovery(dead, guarded_collector, clock, options());
  collector.answer_at_once(Verdict::unknown);
  put(1, 3);
  settle_down(*dispatcher);
  dead.put(make_chunk(1, Signal::traces, 10, 100, 2));
  settle_down(recovery);
  EXPECT_EQ(dead.claimed_count(), 0U);
  collector.answer_later();
  clock.advance(2s);
  settle_down(recovery);  // takes the one try
  settle_down(*dispatcher);
  EXPECT_EQ(collector.pending_count(), 1U);
}

}  // namespace
}  // namespace arca::flow
