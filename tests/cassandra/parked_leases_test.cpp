// Several recoverers at once: leases, fencing, and what a crash at any step repeats.
#include <thread>

#include "cassandra/parked_fixture.hpp"

namespace arca::cassandra {
namespace {

using ParkedLeasesTest = ParkedSourceTest;

// A writer whose segments lie in this shard.
std::uint64_t writer_in(std::int16_t shard, std::uint64_t nth = 0) {
  for (std::uint64_t writer = 1;; ++writer) {
    if (shard_of(WriterId{writer}) == shard && nth-- == 0) return writer;
  }
}

TEST_F(ParkedLeasesTest, two_recoverers_share_the_shards_and_send_nothing_twice) {
  for (std::int16_t shard = 0; shard < shard_count; ++shard) {
    for (std::uint64_t i = 0; i < 3; ++i) sealed(writer_in(shard), 20 * i + 1, 20 * i + 20);
  }
  const auto one = recoverer();
  const auto two = recoverer();
  sink.answer_later();  // a Collector that takes its time
  for (int i = 0; i < 1500; ++i) {
    live({one.get(), two.get()}, 100ms);
    sink.ack_all(Verdict::delivered);
  }
  EXPECT_TRUE(everything_arrived());
  EXPECT_EQ(repeated_count(), 0U);
  EXPECT_GT(one->source.status().segments_done, 0U);
  EXPECT_GT(two->source.status().segments_done, 0U);
  EXPECT_EQ(one->source.status().segments_done + two->source.status().segments_done, 48U);
}

TEST_F(ParkedLeasesTest, one_that_only_looks_reads_the_directory_and_does_nothing_else) {
  for (std::uint64_t writer = 1; writer <= 5; ++writer) sealed(writer, 1, 10);
  const std::size_t before = store.calls().size();
  ParkedSourceOptions looking = options();
  looking.only_looks = true;
  const auto one = recoverer(looking);
  live(one, 60s);
  EXPECT_EQ(one->source.backlog().chunk_count, 50U);
  EXPECT_FALSE(one->source.is_drained());
  const std::vector<fakes::StoreCallRecord> calls = store.calls();
  EXPECT_GT(calls.size(), before);
  for (std::size_t i = before; i < calls.size(); ++i) {
    EXPECT_TRUE(calls[i].call == StoreCall::list_buckets || calls[i].call == StoreCall::list_segments);
  }
  EXPECT_TRUE(one->source.close(now()));
}

TEST_F(ParkedLeasesTest, it_holds_no_more_leases_than_it_may) {
  for (std::int16_t shard = 0; shard < shard_count; ++shard) sealed(writer_in(shard), 1, 20);
  sink.answer_later();
  ParkedSourceOptions few = options();
  few.shards_max = 3;
  const auto one = recoverer(few);
  for (int i = 0; i < 20; ++i) {
    live(one, 1s);
    std::uint32_t held = 0;
    for (std::int16_t shard = 0; shard < shard_count; ++shard) held += store.lease(shard) ? 1U : 0U;
    ASSERT_LE(held, 3U);
    ASSERT_LE(one->source.status().leases_held, 3U);
    if (sink.pending_count() > 0) sink.ack(0, Verdict::delivered);
  }
}

TEST_F(ParkedLeasesTest, a_lease_is_taken_only_where_there_is_something_to_do_and_given_back_after_it) {
  const SegmentHead head = sealed(writer_in(5), 1, 10);
  const auto one = recoverer();
  live(one, 1min);
  ASSERT_TRUE(is_replayed(head));
  EXPECT_EQ(store.count(StoreCall::take_lease), 1U);
  EXPECT_EQ(store.count(StoreCall::release_lease), 1U);
  EXPECT_FALSE(store.lease(5));
  EXPECT_EQ(one->source.status().leases_held, 0U);
}

TEST_F(ParkedLeasesTest, a_lease_is_renewed_as_long_as_it_is_needed) {
  sealed(writer_in(5), 1, 100);
  sink.answer_later();
  const auto one = recoverer();
  for (int i = 0; i < 60; ++i) {
    live(one, 2s);
    if (i > 5) {
      EXPECT_TRUE(store.lease(5));
    }
    if (sink.pending_count() > 0) sink.ack(0, Verdict::delivered);
  }
  EXPECT_EQ(one->source.status().lost_lease_count, 0U);
  EXPECT_EQ(store.count(StoreCall::take_lease), 1U);
}

TEST_F(ParkedLeasesTest, who_cannot_deliver_lets_others_try) {
  sealed(writer_in(5), 1, 20);
  FakeSink away;  // the Collector of one recoverer never answers
  flow::DispatcherOptions dispatching;
  Recoverer stuck(store, away, clock, random, options(), dispatching);
  live({&stuck}, 5s);
  ASSERT_GT(away.pending_count(), 0U);
  const auto one = recoverer();
  live({&stuck, one.get()}, 2min);
  EXPECT_TRUE(everything_arrived());
  EXPECT_TRUE(one->source.is_drained());
}

TEST_F(ParkedLeasesTest, who_gave_a_lease_back_takes_it_again_at_once_when_the_collector_is_back) {
  sealed(writer_in(5), 1, 20);
  bool is_back = false;
  sink.answer_by([&is_back](const model::Chunk& chunk) {
    return FakeSink::make(chunk.id, is_back ? Verdict::delivered : Verdict::retry);
  });
  const auto one = recoverer();
  live(one, 5s);
  ASSERT_EQ(one->source.status().leases_held, 1U);
  for (int i = 0; i < 600 && one->source.status().leases_held > 0; ++i) live(one, 100ms);
  ASSERT_EQ(one->source.status().leases_held, 0U);
  is_back = true;
  one->source.scan_now();
  live(one, 5s);  // less than it would wait by itself
  EXPECT_TRUE(everything_arrived());
}

TEST_F(ParkedLeasesTest, after_a_lost_lease_nothing_is_claimed_and_no_progress_is_written) {
  const SegmentHead head = sealed(writer_in(5), 1, 20);
  sink.answer_later();
  const auto one = recoverer();
  live(one, 2s);
  ASSERT_EQ(sink.pending_count(), 4U);
  // Somebody else has it now.
  const Lease held = *store.lease(5);
  store.release_lease(5, held.owner, held.epoch, [](const StoreStatus&) {});
  Lease taken;
  store.take_lease(5, random_uuid(random), 1h, [&](const StoreStatus&, const Lease& lease) { taken = lease; });
  ASSERT_TRUE(taken.held);
  live(one, 11s);  // its next renewal tells
  EXPECT_EQ(one->source.status().lost_lease_count, 1U);
  const std::size_t written = store.count(StoreCall::mark_replayed);
  sink.ack_all(Verdict::delivered);
  live(one, 20s);
  EXPECT_EQ(sink.submitted().size(), 4U);
  EXPECT_EQ(store.count(StoreCall::mark_replayed), written);
  EXPECT_EQ(entry_of(head).replay_position, 0);
}

TEST_F(ParkedLeasesTest, a_recoverer_that_was_frozen_and_wakes_after_its_lease_is_gone_claims_nothing) {
  const SegmentHead head = sealed(writer_in(5), 1, 40);
  sink.answer_later();
  const auto one = recoverer();
  live(one, 2s);
  ASSERT_EQ(sink.pending_count(), 4U);
  clock.advance(10min);  // frozen; then the answers come, and its dispatcher asks for more before anything else
  const std::size_t written = store.count(StoreCall::mark_replayed);
  EXPECT_FALSE(*one->source.claim(model::SignalSet::all(), now()));
  sink.ack(0, Verdict::delivered);
  one->dispatcher.step(now());
  EXPECT_EQ(sink.submitted().size(), 4U);
  EXPECT_EQ(store.count(StoreCall::mark_replayed), written);
  // With a lease of its own again it goes on.
  sink.ack_all(Verdict::delivered);
  sink.answer_at_once(Verdict::delivered);
  live(one, 1min);
  EXPECT_TRUE(is_replayed(head));
  EXPECT_LE(repeated_count(), 4U);
}

TEST_F(ParkedLeasesTest, what_the_collector_refuses_after_the_lease_is_gone_is_in_quarantine_and_not_sent_again) {
  const SegmentHead head = sealed(writer_in(5), 1, 4);
  sink.answer_later();
  const auto one = recoverer();
  live(one, 2s);
  ASSERT_EQ(sink.pending_count(), 4U);
  clock.advance(10min);  // frozen; its lease is gone
  one->source.tend(now());
  model::Ack partly = FakeSink::make(sink.pending_id(0), Verdict::delivered, "2 too old");
  partly.refused_item_count = 2;
  store.fail_next(StoreCall::put_quarantined, 2, {.outcome = Outcome::not_taken});
  sink.ack(0, partly);
  sink.ack(0, Verdict::rejected, "400 bad");
  sink.ack_all(Verdict::delivered);
  sink.answer_at_once(Verdict::delivered);
  live(one, 1min);
  ASSERT_EQ(store.quarantined().size(), 2U);
  EXPECT_EQ(store.quarantined()[0].chunk.id.sequence, 1U);
  EXPECT_EQ(store.quarantined()[0].refused_item_count, 2U);
  EXPECT_EQ(store.quarantined()[1].refused_item_count, 10U);
  EXPECT_TRUE(is_replayed(head));
  EXPECT_EQ(entry_of(head).quarantined_items[0], 12U);
  EXPECT_EQ(entry_of(head).replayed_items[0], 40U);
  EXPECT_EQ(sink.submitted().size(), 4U);
}

TEST_F(ParkedLeasesTest, while_one_is_frozen_another_goes_on_and_only_what_was_in_flight_is_repeated) {
  const SegmentHead head = sealed(writer_in(5), 1, 40);
  sink.answer_later();
  const auto frozen = recoverer();
  live(frozen, 2s);
  for (int i = 0; i < 8; ++i) {
    sink.ack(0, Verdict::delivered);
    live(frozen, 50ms);
  }
  ASSERT_EQ(sink.submitted().size(), 12U);
  const auto other = recoverer();
  for (int i = 0; i < 120 && !is_replayed(head); ++i) {
    live(other, 1s);
    while (sink.pending_count() > 4) sink.ack(sink.pending_count() - 1, Verdict::delivered);
  }
  EXPECT_TRUE(is_replayed(head));
  const SegmentEntry before = entry_of(head);
  sink.ack_all(Verdict::delivered);
  live({frozen.get(), other.get()}, 1min);
  EXPECT_EQ(repeated_count(), 4U);
  EXPECT_EQ(entry_of(head).replay_position, before.replay_position);
  EXPECT_EQ(entry_of(head).replayed_at, before.replayed_at);
}

TEST_F(ParkedLeasesTest, a_lease_whose_answer_was_lost_is_found_to_be_its_own) {
  const SegmentHead head = sealed(writer_in(5), 1, 10);
  store.fail_next(StoreCall::take_lease, 1, {.outcome = Outcome::unknown, .applied = true});
  const auto one = recoverer();
  live(one, 20s);
  EXPECT_TRUE(is_replayed(head));
}

TEST_F(ParkedLeasesTest, resumes_after_a_crash_at_any_step_and_repeats_at_most_what_was_in_flight) {
  for (int steps = 0; steps < 80; ++steps) {
    SCOPED_TRACE("after " + std::to_string(steps) + " steps");
    FakeParkingStore fresh(clock);
    FakeSink collector;
    collector.answer_at_once(Verdict::delivered);
    SegmentHead head;
    head.writer = WriterId{writer_in(5)};
    head.opened_at = clock.wall_now();
    head.name = {bucket_of(head.opened_at), 5, random_uuid(random)};
    fresh.open_segment(head, [](const StoreStatus&) {});
    SegmentSummary summary;
    for (std::int32_t i = 0; i < 12; ++i) {
      const Signal signal = i % 3 == 0 ? Signal::metrics : Signal::traces;
      StoredChunk stored = pack(chunk_of(head, static_cast<std::uint64_t>(i) + 1, signal)).value();
      stored.position = i;
      fresh.put_chunk(head.name, stored, 1, [](const StoreStatus&) {});
      ++summary.chunk_count;
    }
    fresh.seal_segment(head.name, clock.wall_now(), summary, [](const StoreStatus&) {});
    for (int life = 0; life < 3; ++life) {
      flow::DispatcherOptions dispatching;
      dispatching.in_flight_max = 2;
      Recoverer one(fresh, collector, clock, random, options(), dispatching);
      one.source.scan_now();
      if (life == 2) {
        live({&one}, 2min);
        continue;
      }
      // It dies in the middle of its work: after so many calls to Cassandra nothing of it reaches anybody.
      int left = steps;
      collector.answer_by([&left](const model::Chunk& chunk) -> std::optional<model::Ack> {
        if (left <= 0) return std::nullopt;
        return FakeSink::make(chunk.id, Verdict::delivered);
      });
      fresh.fail_by([&left](const fakes::StoreCallRecord&) -> std::optional<StoreFailure> {
        if (left-- > 0) return std::nullopt;
        return StoreFailure{.outcome = Outcome::not_sent};
      });
      for (int i = 0; i < 50; ++i) {
        one.step(now());
        if (left <= 0) break;
        clock.advance(100ms);
      }
      fresh.heal();
      collector.answer_at_once(Verdict::delivered);
    }
    std::set<std::uint64_t> arrived;
    std::uint64_t latest_metric = 0;
    for (const model::Chunk& chunk : collector.submitted()) {
      arrived.insert(chunk.id.sequence);
      if (chunk.signal != Signal::metrics) continue;
      EXPECT_GE(chunk.id.sequence + 3, latest_metric);  // a crash repeats one, no more
      latest_metric = chunk.id.sequence;
    }
    EXPECT_EQ(arrived.size(), 12U);
    EXPECT_TRUE(fresh.segments().at(0).replayed_at);
    EXPECT_LE(collector.submitted().size(), 12U + 2U * 3U);  // the window, and one whose progress was not written
  }
}

TEST_F(ParkedLeasesTest, answers_that_come_from_other_threads_while_it_is_used_and_when_it_is_gone_are_harmless) {
  for (std::uint64_t writer = 1; writer <= 30; ++writer) sealed(writer, 1, 10);
  store.hold(FakeParkingStore::Hold::request);
  std::vector<std::jthread> cluster;
  for (int i = 0; i < 2; ++i) {
    cluster.emplace_back([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        if (!store.deliver(0)) std::this_thread::yield();
      }
    });
  }
  for (int life = 0; life < 200 && arrivals().size() < 300; ++life) {
    const auto one = recoverer();
    one->source.scan_now();
    for (int i = 0; i < 50 * (life + 1); ++i) {
      one->step(now());
      static_cast<void>(one->source.status());
      static_cast<void>(one->source.backlog());
      if (i % 20 == 0) clock.advance(20ms);
    }
    clock.advance(31s);
  }
  EXPECT_TRUE(everything_arrived());
}

}  // namespace
}  // namespace arca::cassandra
