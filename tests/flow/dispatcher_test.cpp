#include "flow/dispatcher.hpp"

#include <set>

#include "flow/flow_fixture.hpp"

namespace arca::flow {
namespace {

class DispatcherTest : public FlowFixture {
 protected:
  void put(std::uint64_t first, std::uint64_t last, Signal signal = Signal::traces) {
    for (std::uint64_t sequence = first; sequence <= last; ++sequence) source.put(make_chunk(sequence, signal));
  }
  FakeSink sink;
};

TEST_F(DispatcherTest, delivers_everything_oldest_first) {
  sink.answer_at_once(Verdict::delivered);
  put(1, 20);
  Dispatcher dispatcher(source, sink, clock, options());
  EXPECT_EQ(settle_down(dispatcher), base::never);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 20U);
  const auto sequences = sink.submitted_sequences();
  EXPECT_TRUE(std::is_sorted(sequences.begin(), sequences.end()));
  EXPECT_EQ(dispatcher.counters().of(Verdict::delivered).chunk_count, 20U);
  EXPECT_EQ(dispatcher.counters().of(Verdict::delivered).item_count[0], 200U);
}

TEST_F(DispatcherTest, never_holds_more_than_its_window) {
  put(1, 20);
  DispatcherOptions narrow = options();
  narrow.in_flight_max = 3;
  Dispatcher dispatcher(source, sink, clock, narrow);
  EXPECT_EQ(settle_down(dispatcher), base::never);
  EXPECT_EQ(sink.pending_count(), 3U);
  EXPECT_EQ(dispatcher.in_flight_count(), 3U);
  sink.ack(1, Verdict::delivered);
  settle_down(dispatcher);
  EXPECT_EQ(sink.pending_count(), 3U);
  EXPECT_EQ(sink.submitted().size(), 4U);
}

TEST_F(DispatcherTest, settles_acks_in_any_order) {
  put(1, 4);
  Dispatcher dispatcher(source, sink, clock, options());
  settle_down(dispatcher);
  sink.ack(3, Verdict::delivered);
  sink.ack(1, Verdict::rejected);
  sink.ack(0, Verdict::parked);
  settle_down(dispatcher);
  EXPECT_EQ(source.settlement(4)->verdict, Verdict::delivered);
  EXPECT_EQ(source.settlement(2)->verdict, Verdict::rejected);
  EXPECT_EQ(source.settlement(1)->verdict, Verdict::parked);
  EXPECT_FALSE(source.settlement(3));
}

TEST_F(DispatcherTest, what_was_not_taken_comes_again_later_and_later) {
  sink.answer_at_once(Verdict::retry);
  put(1, 1);
  Dispatcher dispatcher(source, sink, clock, options());
  EXPECT_EQ(settle_down(dispatcher), now() + 1s);
  clock.advance(1s);
  EXPECT_EQ(settle_down(dispatcher), now() + 1500ms);
  clock.advance(1500ms);
  EXPECT_EQ(settle_down(dispatcher), now() + 2250ms);
  live(dispatcher, 24h);
  sink.answer_at_once(Verdict::delivered);
  live(dispatcher, 30s);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 1U);
}

TEST_F(DispatcherTest, an_unknown_outcome_is_sent_again) {
  put(1, 1);
  Dispatcher dispatcher(source, sink, clock, options());
  settle_down(dispatcher);
  sink.ack(0, Verdict::unknown);
  sink.answer_at_once(Verdict::delivered);
  live(dispatcher, 2s);
  EXPECT_EQ(sink.submitted_sequences(), (std::vector<std::uint64_t>{1, 1}));
  EXPECT_EQ(source.settled_count(Verdict::delivered), 1U);
}

TEST_F(DispatcherTest, obeys_the_wait_that_the_server_names) {
  put(1, 1);
  Dispatcher dispatcher(source, sink, clock, options());
  settle_down(dispatcher);
  model::Ack throttled = FakeSink::make(sink.pending_id(0), Verdict::retry);
  throttled.retry_after = 17s;
  sink.ack(0, throttled);
  EXPECT_EQ(settle_down(dispatcher), now() + 17s);
}

TEST_F(DispatcherTest, metrics_go_one_at_a_time_and_in_order_even_under_retries) {
  put(1, 5, Signal::metrics);
  put(6, 8, Signal::logs);
  Dispatcher dispatcher(source, sink, clock, options());
  settle_down(dispatcher);
  EXPECT_EQ(sink.submitted_sequences(), (std::vector<std::uint64_t>{1, 6, 7, 8}));
  sink.ack(0, Verdict::retry);
  settle_down(dispatcher);
  EXPECT_EQ(sink.submitted().size(), 4U);
  sink.ack_all(Verdict::delivered);
  sink.answer_at_once(Verdict::delivered);
  live(dispatcher, 2s);
  EXPECT_EQ(sink.submitted_sequences(), (std::vector<std::uint64_t>{1, 6, 7, 8, 1, 2, 3, 4, 5}));
}

TEST_F(DispatcherTest, a_second_ack_and_a_foreign_one_are_ignored_and_counted) {
  put(1, 2);
  Dispatcher dispatcher(source, sink, clock, options());
  settle_down(dispatcher);
  const model::AckCallback first = sink.pending_callback(0);
  sink.ack(0, Verdict::delivered);
  first(FakeSink::make({model::WriterId{1}, 1}, Verdict::rejected));
  first(FakeSink::make({model::WriterId{9}, 77}, Verdict::delivered));
  settle_down(dispatcher);
  EXPECT_EQ(source.settlement(1)->verdict, Verdict::delivered);
  EXPECT_EQ(dispatcher.counters().ignored_ack_count, 2U);
  EXPECT_EQ(source.violation_count(), 0);
}

TEST_F(DispatcherTest, a_late_ack_of_an_earlier_attempt_does_not_speak_for_the_current_one) {
  put(1, 1);
  Dispatcher dispatcher(source, sink, clock, options());
  settle_down(dispatcher);
  const model::AckCallback first_attempt = sink.pending_callback(0);
  sink.ack(0, Verdict::unknown);
  live(dispatcher, 1s);
  settle_down(dispatcher);
  ASSERT_EQ(sink.pending_count(), 1U);
  first_attempt(FakeSink::make({model::WriterId{1}, 1}, Verdict::rejected));
  settle_down(dispatcher);
  EXPECT_FALSE(source.settlement(1));
  sink.ack(0, Verdict::delivered);
  settle_down(dispatcher);
  EXPECT_EQ(source.settlement(1)->verdict, Verdict::delivered);
}

TEST_F(DispatcherTest, a_failing_source_is_reported_and_asked_again_with_backoff) {
  sink.answer_at_once(Verdict::delivered);
  put(1, 3);
  source.fail_claims(4);
  Dispatcher dispatcher(source, sink, clock, options());
  const int wake_count = live(dispatcher, 2s);
  EXPECT_LE(wake_count, 5);
  EXPECT_EQ(reports.size(), 4U);
  EXPECT_EQ(dispatcher.counters().source_error_count, 4U);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 3U);
}

TEST_F(DispatcherTest, a_failing_settle_is_repeated_and_nothing_is_sent_twice) {
  sink.answer_at_once(Verdict::delivered);
  put(1, 3);
  source.fail_settles(5);
  Dispatcher dispatcher(source, sink, clock, options());
  live(dispatcher, 2s);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 3U);
  EXPECT_EQ(sink.submitted().size(), 3U);
  EXPECT_EQ(dispatcher.counters().settle_error_count, 5U);
}

// Settles in memory, fails to write it, and knows the chunk no more when asked again.
class ForgetfulSource final : public model::ChunkSource {
 public:
  explicit ForgetfulSource(fakes::FakeSource& source) : source_(source) {}
  Result<std::optional<model::Claim>> claim(model::SignalSet signals, base::SteadyTime now) override {
    return source_.claim(signals, now);
  }
  Result<void> settle(const model::Ack& ack) override {
    if (!source_.contains_unsettled(ack.chunk_id)) return failure(ErrorCode::not_found, "settled before");
    static_cast<void>(source_.settle(ack));
    return failure(ErrorCode::io, "settled, but not written");
  }
  void release(const model::ChunkId& id, base::SteadyTime not_before) override { source_.release(id, not_before); }
  void forget_release_times() override { source_.forget_release_times(); }
  base::SteadyTime next_claim_at(model::SignalSet signals, base::SteadyTime now) override {
    return source_.next_claim_at(signals, now);
  }
  void set_waker(std::function<void()> waker) override { source_.set_waker(std::move(waker)); }
  model::Backlog backlog() const override { return source_.backlog(); }

 private:
  fakes::FakeSource& source_;
};

TEST_F(DispatcherTest, a_chunk_that_its_source_has_forgotten_does_not_hold_the_window_for_ever) {
  sink.answer_at_once(Verdict::delivered);
  put(1, 3);
  ForgetfulSource forgetful(source);
  Dispatcher dispatcher(forgetful, sink, clock, options());
  live(dispatcher, 2s);
  EXPECT_EQ(dispatcher.in_flight_count(), 0U);
  EXPECT_EQ(dispatcher.counters().of(Verdict::delivered).chunk_count, 3U);
  EXPECT_EQ(sink.submitted().size(), 3U);
}

TEST_F(DispatcherTest, an_idle_dispatcher_is_not_woken) {
  sink.answer_at_once(Verdict::delivered);
  DispatcherOptions limited = options();
  limited.rate_limiter = std::make_shared<RateLimiter>(RateLimits{.bytes_per_second = 10, .items_per_second = 1});
  limited.yields = [] { return true; };
  Dispatcher dispatcher(source, sink, clock, limited);
  EXPECT_EQ(live(dispatcher, 24h), 0);
}

TEST_F(DispatcherTest, a_sink_that_is_not_ready_is_asked_when_it_said_and_not_before) {
  put(1, 1);
  sink.set_readiness({.ready = false, .ask_again_at = now() + 10s});
  Dispatcher dispatcher(source, sink, clock, options());
  EXPECT_EQ(settle_down(dispatcher), now() + 10s);
  EXPECT_EQ(source.claimed_count(), 0U);
  sink.set_readiness({});
  settle_down(dispatcher);
  EXPECT_EQ(sink.pending_count(), 1U);
}

TEST_F(DispatcherTest, keeps_the_byte_rate_within_five_percent) {
  sink.answer_at_once(Verdict::delivered);
  for (std::uint64_t i = 1; i <= 3000; ++i) source.put(make_chunk(i, Signal::traces, 10, 1000));
  DispatcherOptions limited = options();
  limited.rate_limiter = std::make_shared<RateLimiter>(RateLimits{.bytes_per_second = 100'000});
  Dispatcher dispatcher(source, sink, clock, limited);
  live(dispatcher, 20s);
  EXPECT_NEAR(static_cast<double>(dispatcher.counters().settled_bytes), 2e6, 1e5);
}

TEST_F(DispatcherTest, keeps_the_item_rate_within_five_percent) {
  sink.answer_at_once(Verdict::delivered);
  put(1, 3000);
  DispatcherOptions limited = options();
  limited.rate_limiter = std::make_shared<RateLimiter>(RateLimits{.items_per_second = 500});
  Dispatcher dispatcher(source, sink, clock, limited);
  live(dispatcher, 20s);
  EXPECT_NEAR(static_cast<double>(dispatcher.counters().of(Verdict::delivered).item_count[0]), 1e4, 500);
}

TEST_F(DispatcherTest, yields_to_live_traffic_but_does_not_starve) {
  sink.answer_at_once(Verdict::delivered);
  put(1, 100);
  bool busy = true;
  DispatcherOptions yielding = options();
  yielding.yields = [&busy] { return busy; };
  Dispatcher dispatcher(source, sink, clock, yielding);
  live(dispatcher, 4s);
  EXPECT_EQ(sink.submitted().size(), 0U);
  live(dispatcher, 7s);
  EXPECT_EQ(sink.submitted().size(), 2U);  // one chunk every five seconds
  busy = false;
  live(dispatcher, 1s);
  EXPECT_EQ(sink.submitted().size(), 100U);
}

TEST_F(DispatcherTest, a_blocked_signal_does_not_hide_the_others) {
  put(1, 1, Signal::metrics);
  Dispatcher dispatcher(source, sink, clock, options());
  settle_down(dispatcher);  // the metric is in flight and stays there
  put(2, 2, Signal::metrics);
  put(3, 3, Signal::traces);
  settle_down(dispatcher);
  EXPECT_EQ(sink.submitted_sequences(), (std::vector<std::uint64_t>{1, 3}));
}

TEST_F(DispatcherTest, while_one_signal_waits_for_its_answer_nobody_is_woken_for_the_others) {
  put(1, 2, Signal::metrics);
  Dispatcher dispatcher(source, sink, clock, options());
  EXPECT_EQ(settle_down(dispatcher), base::never);
  EXPECT_EQ(live(dispatcher, 1h), 0);
}

TEST_F(DispatcherTest, a_sink_whose_window_others_fill_is_asked_again_soon) {
  sink.set_readiness({false, base::never});  // the acks that will change that go to another dispatcher
  put(1, 1);
  Dispatcher dispatcher(source, sink, clock, options());
  EXPECT_LE(settle_down(dispatcher), now() + 5ms);
  sink.set_readiness({});
  sink.answer_at_once(Verdict::delivered);
  live(dispatcher, 5ms);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 1U);
  sink.set_readiness({false, base::never});
  EXPECT_EQ(live(dispatcher, 1h), 0);  // with nothing to send it does not matter
}

TEST_F(DispatcherTest, after_an_outage_the_chunks_it_was_tried_with_go_at_once) {
  sink.answer_at_once(Verdict::unknown);
  put(1, 1);
  Dispatcher dispatcher(source, sink, clock, options());
  live(dispatcher, 1min);
  const base::SteadyTime waits_until = settle_down(dispatcher);
  ASSERT_GT(waits_until, now() + 1s);
  sink.answer_at_once(Verdict::delivered);
  put(2, 2);
  settle_down(dispatcher);
  EXPECT_EQ(source.settled_count(Verdict::delivered), 2U);
}

TEST_F(DispatcherTest, after_an_outage_a_wait_that_the_server_named_is_kept_all_the_same) {
  put(1, 3);
  Dispatcher dispatcher(source, sink, clock, options());
  settle_down(dispatcher);
  model::Ack throttled = FakeSink::make(sink.pending_id(0), Verdict::retry);
  throttled.retry_after = 17s;
  sink.ack(0, throttled);
  sink.ack(0, Verdict::unknown);
  settle_down(dispatcher);
  clock.advance(2s);
  sink.ack_all(Verdict::delivered);
  sink.answer_at_once(Verdict::delivered);
  live(dispatcher, 14s);
  EXPECT_FALSE(source.settlement(1));
  live(dispatcher, 2s);
  EXPECT_TRUE(source.settlement(1));
}

TEST_F(DispatcherTest, chunks_that_fail_between_others_that_succeed_keep_their_backoff) {
  sink.answer_by([](const model::Chunk& chunk) {
    return FakeSink::make(chunk.id, chunk.id.sequence <= 2 ? Verdict::unknown : Verdict::delivered);
  });
  put(1, 2);
  Dispatcher dispatcher(source, sink, clock, options());
  for (std::uint64_t sequence = 3; sequence < 6003; ++sequence) {  // a minute
    put(sequence, sequence);
    live(dispatcher, 10ms);
  }
  EXPECT_EQ(source.settled_count(Verdict::delivered), 6000U);
  EXPECT_LE(sink.submitted().size() - 6000, 2U * 20U);
}

// A source that breaks its contract: it gives the same chunk again and again.
class StutteringSource final : public model::ChunkSource {
 public:
  Result<std::optional<model::Claim>> claim(model::SignalSet, base::SteadyTime) override {
    return model::Claim{make_chunk(1), 1};
  }
  Result<void> settle(const model::Ack&) override { return {}; }
  void release(const model::ChunkId&, base::SteadyTime) override { ++release_count; }
  void forget_release_times() override {}
  base::SteadyTime next_claim_at(model::SignalSet, base::SteadyTime at) override { return at; }
  void set_waker(std::function<void()>) override {}
  model::Backlog backlog() const override { return {}; }
  int release_count = 0;
};

TEST_F(DispatcherTest, a_broken_invariant_is_reported_and_it_starts_anew) {
  StutteringSource stuttering;
  Dispatcher dispatcher(stuttering, sink, clock, options());
  const int wake_count = live(dispatcher, 10s);
  EXPECT_LE(wake_count, 20);
  EXPECT_GE(dispatcher.counters().restart_count, 2U);
  EXPECT_EQ(static_cast<std::uint64_t>(stuttering.release_count), dispatcher.counters().restart_count);
  ASSERT_FALSE(reports.empty());
  EXPECT_EQ(reports[0].code(), ErrorCode::internal);
}

}  // namespace
}  // namespace arca::flow
