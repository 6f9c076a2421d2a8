#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "flow/flow_fixture.hpp"

namespace arca::flow {
namespace {

class DrainTest : public FlowFixture {
 protected:
  void SetUp() override {
    for (std::uint64_t sequence = 1; sequence <= 5; ++sequence) source.put(make_chunk(sequence));
  }
  FakeSink sink;
};

TEST_F(DrainTest, ends_as_soon_as_everything_is_settled) {
  Dispatcher dispatcher(source, sink, clock, options());
  settle_down(dispatcher);
  dispatcher.begin_drain(now() + 10s);
  settle_down(dispatcher);
  EXPECT_FALSE(dispatcher.drained());
  sink.ack_all(Verdict::delivered);
  settle_down(dispatcher);
  ASSERT_TRUE(dispatcher.drained());
  EXPECT_TRUE(dispatcher.drained()->complete);
  EXPECT_EQ(sink.cancel_count(), 0);
}

TEST_F(DrainTest, cancels_at_the_deadline_and_gives_back_what_is_unsettled) {
  Dispatcher dispatcher(source, sink, clock, options());
  settle_down(dispatcher);
  dispatcher.begin_drain(now() + 10s);
  EXPECT_EQ(settle_down(dispatcher), now() + 10s);
  clock.advance(10s);
  settle_down(dispatcher);
  ASSERT_TRUE(dispatcher.drained());
  EXPECT_FALSE(dispatcher.drained()->complete);
  EXPECT_EQ(dispatcher.drained()->abandoned_count, 0U);
  EXPECT_EQ(sink.cancel_count(), 1);
  EXPECT_EQ(source.claimed_count(), 0U);
  EXPECT_EQ(source.next_claim_at(model::SignalSet::all(), now()), now());  // at once, for whoever takes the rest
}

TEST_F(DrainTest, a_sink_that_does_not_even_cancel_cannot_hold_it_up) {
  sink.ignore_cancel();
  Dispatcher dispatcher(source, sink, clock, options());
  settle_down(dispatcher);
  dispatcher.begin_drain(now() + 10s);
  clock.advance(10s);
  EXPECT_EQ(settle_down(dispatcher), now() + 100ms);
  clock.advance(100ms);
  settle_down(dispatcher);
  ASSERT_TRUE(dispatcher.drained());
  EXPECT_EQ(dispatcher.drained()->abandoned_count, 5U);
  EXPECT_EQ(source.claimed_count(), 0U);
}

TEST_F(DrainTest, does_not_wait_for_a_deadline_before_which_nothing_can_move) {
  sink.set_readiness({.ready = false, .ask_again_at = now() + 30s});
  Dispatcher dispatcher(source, sink, clock, options());
  dispatcher.begin_drain(now() + 10s);
  settle_down(dispatcher);
  ASSERT_TRUE(dispatcher.drained());
  EXPECT_FALSE(dispatcher.drained()->complete);
}

TEST_F(DrainTest, retries_within_its_time) {
  sink.answer_at_once(Verdict::retry);
  Dispatcher dispatcher(source, sink, clock, options());
  settle_down(dispatcher);
  dispatcher.begin_drain(now() + 10s);
  sink.answer_at_once(Verdict::delivered);
  live(dispatcher, 2s);
  ASSERT_TRUE(dispatcher.drained());
  EXPECT_TRUE(dispatcher.drained()->complete);
}

TEST_F(DrainTest, leaves_a_shared_sink_alone) {
  DispatcherOptions sharing = options();
  sharing.cancels_sink = false;
  Dispatcher dispatcher(source, sink, clock, sharing);
  settle_down(dispatcher);
  dispatcher.begin_drain(now());
  live(dispatcher, 1s);
  EXPECT_TRUE(dispatcher.drained());
  EXPECT_EQ(sink.cancel_count(), 0);
}

TEST_F(DrainTest, an_ack_after_the_end_of_the_dispatcher_finds_nobody_and_harms_nobody) {
  sink.ignore_cancel();
  {
    Dispatcher dispatcher(source, sink, clock, options());
    settle_down(dispatcher);
    dispatcher.begin_drain(now());
    live(dispatcher, 1s);
  }
  sink.ack_all(Verdict::delivered);
  EXPECT_EQ(source.backlog().chunk_count, 5U);
}

// Real time and real threads: what the thread sanitizer looks at.
TEST(DispatcherThreadTest, runs_among_many_threads_and_wakes_those_who_wait_for_a_flush) {
  os::SystemClock clock;
  fakes::FakeSource source;
  FakeSink sink;
  DispatcherOptions options;
  options.retry.initial = 1ms;
  options.retry.max = 5ms;
  Dispatcher dispatcher(source, sink, clock, options);
  std::jthread stepping([&](const std::stop_token& stop) { dispatcher.run(stop); });

  constexpr std::uint64_t producer_count = 3;
  constexpr std::uint64_t chunks_each = 200;
  std::atomic<bool> over{false};
  std::vector<std::jthread> threads;
  for (int answerer = 0; answerer < 2; ++answerer) {
    threads.emplace_back([&, answerer] {
      for (int turn = answerer; !over; ++turn) {
        try {
          sink.ack(0, turn % 5 == 0 ? Verdict::retry : Verdict::delivered);
        } catch (const std::out_of_range&) {
          std::this_thread::yield();  // nothing pending, or the other one was faster
        }
      }
    });
  }
  for (std::uint64_t producer = 0; producer < producer_count; ++producer) {
    threads.emplace_back([&, producer] {
      for (std::uint64_t i = 1; i <= chunks_each; ++i) {
        source.put(make_chunk(producer * chunks_each + i, model::all_signals[i % 3]));
      }
    });
  }
  EXPECT_TRUE(
      dispatcher.wait_until([&] { return source.settled_count(Verdict::delivered) == producer_count * chunks_each; },
                            clock.steady_now() + 60s));
  const DrainReport report = dispatcher.drain(clock.steady_now() + 10s);
  EXPECT_TRUE(report.complete);
  over = true;
  threads.clear();
  EXPECT_EQ(source.violation_count(), 0);
}

}  // namespace
}  // namespace arca::flow
