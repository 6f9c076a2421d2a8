// Lanes of recovery beside the own journal: stores that are driven, keep their rejected chunks, and know only after a
// look whether anything is left.
#include <future>

#include "flow/recovery_fixture.hpp"

namespace arca::flow {
namespace {

class RecoveryLanesTest : public RecoveryTest {
 protected:
  RecoveryLane lane() {
    RecoveryLane made;
    made.name = "recovery of the parked chunks";
    made.source = &parked;
    made.tend = [this](base::SteadyTime at) {
      tended.push_back(at);
      return at + 2s;
    };
    made.is_drained = [this] { return looked && parked.backlog().chunk_count == 0; };
    return made;
  }
  std::unique_ptr<Recovery> make_with(RecoveryLane made) {
    RecoveryOptions options = recovery_options();
    options.keep_rejected = [this](const model::Chunk& chunk, const model::Ack&) -> Result<void> {
      kept.push_back(chunk.id);
      return {};
    };
    options.lanes.push_back(std::move(made));
    return make(std::move(options));
  }

  fakes::FakeSource parked;
  std::vector<base::SteadyTime> tended;
  std::vector<ChunkId> kept;
  bool looked = false;
};

TEST_F(RecoveryLanesTest, a_lane_is_drained_beside_the_own_journal_and_dead_writers) {
  put(source, 1, 1, 5);
  put(parked, 7, 1, 6);
  put(writers.add(2).pool, 2, 1, 3);
  const auto recovery = make_with(lane());
  live(*recovery, 60s);
  EXPECT_EQ(arrivals().size(), 14U);
  EXPECT_EQ(sink.submitted().size(), 14U);
}

TEST_F(RecoveryLanesTest, a_lane_is_tended_before_its_dispatcher_steps_and_when_it_asked_for_it) {
  const auto recovery = make_with(lane());
  live(*recovery, 60s);
  ASSERT_GE(tended.size(), 30U);
  for (std::size_t i = 1; i < tended.size(); ++i) EXPECT_LE(tended[i] - tended[i - 1], 2s);
}

TEST_F(RecoveryLanesTest, a_lane_can_have_its_own_sink_and_window) {
  FakeSink other;
  RecoveryLane wide = lane();
  wide.sink = &other;
  wide.in_flight_max = 6;
  put(parked, 7, 1, 20);
  const auto recovery = make_with(wide);
  live(*recovery, 1s);
  EXPECT_EQ(other.pending_count(), 6U);
  EXPECT_TRUE(sink.submitted().empty());
}

TEST_F(RecoveryLanesTest, what_is_rejected_is_kept_by_the_lane_that_says_so_and_by_the_quarantine_otherwise) {
  sink.answer_at_once(Verdict::rejected, "400");
  put(source, 1, 1, 2);
  put(parked, 7, 1, 3);
  RecoveryLane keeping = lane();
  keeping.keeps_rejected = true;
  const auto recovery = make_with(keeping);
  live(*recovery, 10s);
  EXPECT_EQ(kept, (std::vector<ChunkId>{{WriterId{1}, 1}, {WriterId{1}, 2}}));
  EXPECT_EQ(parked.settled_count(Verdict::rejected), 3U);
  EXPECT_EQ(parked.settlement(1, 7)->tier, model::Tier::none);
}

TEST_F(RecoveryLanesTest, the_rate_holds_over_lanes_together) {
  for (std::uint64_t i = 1; i <= 600; ++i) {
    source.put(make_chunk(i, Signal::traces, 10, 1000));
    parked.put(make_chunk(i, Signal::traces, 10, 1000, 7));
  }
  RecoveryOptions limited = recovery_options();
  limited.limits = {.bytes_per_second = 10'000};
  limited.lanes.push_back(lane());
  const auto recovery = make(std::move(limited));
  live(*recovery, 1s);
  const auto before = recovery->status().counters.settled_bytes;
  live(*recovery, 40s);
  EXPECT_NEAR(static_cast<double>(recovery->status().counters.settled_bytes - before), 400'000, 20'000);
  EXPECT_GT(parked.settled_count(Verdict::delivered), 100U);
}

TEST_F(RecoveryLanesTest, a_lane_that_is_blocked_holds_up_nobody) {
  FakeSink silent;
  RecoveryLane blocked = lane();
  blocked.sink = &silent;
  put(parked, 7, 1, 9);
  put(source, 1, 1, 9);
  put(writers.add(2).pool, 2, 1, 9);
  const auto recovery = make_with(blocked);
  live(*recovery, 10s);
  EXPECT_EQ(sink.submitted().size(), 18U);
}

TEST_F(RecoveryLanesTest, drain_once_waits_until_a_lane_says_that_it_is_drained_and_counts_what_it_holds) {
  os::SystemClock real;
  put(parked, 7, 1, 5);
  RecoveryLane slow = lane();
  int turns = 0;
  slow.tend = [&](base::SteadyTime at) {
    looked = ++turns > 20;
    return at + 1ms;
  };
  RecoveryOptions options = recovery_options();
  options.lanes.push_back(slow);
  Recovery recovery(writers, nullptr, sink, real, std::move(options));
  std::vector<RecoveryProgress> told;
  const RecoveryReport done =
      recovery.drain_once(real.steady_now() + 60s, [&](const RecoveryProgress& progress) { told.push_back(progress); });
  EXPECT_TRUE(done.complete);
  EXPECT_GT(turns, 20);
  EXPECT_EQ(done.progress.items_done.sum(), 50U);
  EXPECT_EQ(done.progress.bytes_done, 500U);
  ASSERT_EQ(done.status.lanes.size(), 1U);
  EXPECT_EQ(done.status.lanes[0].backlog.chunk_count, 0U);
}

TEST_F(RecoveryLanesTest, what_a_lane_holds_is_left_until_it_is_delivered) {
  os::SystemClock real;
  sink.answer_later();
  put(parked, 7, 1, 5);
  RecoveryOptions options = recovery_options();
  options.stop_grace = 10ms;
  options.lanes.push_back(lane());
  Recovery recovery(writers, nullptr, sink, real, std::move(options));
  const RecoveryReport done = recovery.drain_once(real.steady_now() + 30ms, {});
  EXPECT_FALSE(done.complete);
  EXPECT_EQ(done.progress.items_left, 50U);
  EXPECT_EQ(done.progress.bytes_left, 500U);
  EXPECT_EQ(parked.claimed_count(), 0U);
}

// Lists only when the test says so, as a disk that hangs.
class HangingWriters final : public Writers {
 public:
  Result<std::vector<journal::WriterEntry>> list() override {
    begun.set_value();
    go_on.get_future().wait();
    return std::vector<journal::WriterEntry>();
  }
  Result<std::unique_ptr<DeadWriter>> adopt(model::WriterId /*id*/) override {
    return failure(ErrorCode::not_found, "no such writer");
  }
  std::promise<void> begun;
  std::promise<void> go_on;
};

TEST_F(RecoveryTest, status_does_not_wait_for_a_step_that_waits_for_the_disk) {
  HangingWriters hanging;
  RecoveryOptions made = recovery_options();
  made.start_jitter = base::Duration::zero();
  Recovery recovery(hanging, nullptr, sink, clock, std::move(made));
  auto step = std::async(std::launch::async, [&] { return recovery.step(now()); });
  hanging.begun.get_future().wait();
  auto status = std::async(std::launch::async, [&] { return recovery.status(); });
  EXPECT_EQ(status.wait_for(10s), std::future_status::ready);
  hanging.go_on.set_value();
  step.get();
  status.get();
}

}  // namespace
}  // namespace arca::flow
