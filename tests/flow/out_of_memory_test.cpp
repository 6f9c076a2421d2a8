// Every allocation on the way of a verdict fails once: the verdict comes all the same, and once.
#include "fakes/failing_memory.hpp"
#include "flow/flow_fixture.hpp"
#include "flow/router.hpp"

namespace arca::flow {
namespace {

using fakes::fails_at;

// Holds one chunk and needs no memory for it.
class OneChunkSink final : public model::Sink {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "one chunk"; }
  [[nodiscard]] model::Readiness readiness(Signal, base::SteadyTime) noexcept override { return {is_ready}; }
  void submit(model::Chunk, model::AckCallback done) noexcept override { done_ = std::move(done); }
  void cancel_all() noexcept override {}

  // Nothing if it holds none.
  void answer(model::Ack ack) {
    if (const model::AckCallback done = std::exchange(done_, nullptr)) done(std::move(ack));
  }
  bool is_ready = true;

 private:
  model::AckCallback done_;
};

// A Collector with a tier behind it, new for each allocation that fails.
struct Ends {
  explicit Ends(os::Clock& clock)
      : guarded_collector(collector, clock, {.failure_count_max = 1, .open_time = {}}, {}),
        guarded_cassandra(cassandra, clock, {}, {}),
        router(guarded_collector, clock, {{.sink = &guarded_cassandra, .when = ParkWhen::outage, .holds_metrics = {}}},
               {}) {}

  OneChunkSink collector;
  OneChunkSink cassandra;
  GuardedSink guarded_collector;
  GuardedSink guarded_cassandra;
  Router router;
  model::Chunk chunk = make_chunk(1);
  // Their reasons are long enough to need memory when they are copied.
  model::Ack refusal = FakeSink::make(chunk.id, Verdict::retry, std::string(100, 'x'));
  model::Ack parked = FakeSink::make(chunk.id, Verdict::parked, std::string(100, 'x'));
};

class FlowMemoryTest : public FlowFixture {
 protected:
  // Delivers again and again, with another allocation failing, and expects one verdict each time.
  template <class Prepare, class Deliver>
  void expect_one_verdict(Prepare prepare, Deliver deliver) {
    for (long n = 0;; ++n) {
      Ends ends(clock);
      prepare(ends);
      int verdict_count = 0;
      std::array<int, 16> much{};  // to copy such a callback takes memory
      model::AckCallback done = [&verdict_count, much](const model::Ack&) { verdict_count += 1 + much[0]; };
      const bool has_failed = fails_at(n, [&] { deliver(ends, std::move(done)); });
      EXPECT_EQ(verdict_count, 1) << "allocation " << n;
      for (const RouteStatus& route : ends.router.status()) EXPECT_EQ(route.in_flight_count, 0U) << "allocation " << n;
      if (!has_failed) break;
      ASSERT_LT(n, 100);
    }
  }
};

TEST_F(FlowMemoryTest, what_the_collector_refuses_and_a_tier_takes_has_one_verdict) {
  expect_one_verdict([](Ends&) {},
                     [](Ends& ends, model::AckCallback done) {
                       ends.router.submit(std::move(ends.chunk), std::move(done));
                       ends.collector.answer(std::move(ends.refusal));
                       ends.cassandra.answer(std::move(ends.parked));
                     });
}

TEST_F(FlowMemoryTest, a_chunk_for_which_no_route_is_ready_has_one_verdict) {
  expect_one_verdict(
      [](Ends& ends) { ends.collector.is_ready = false; },
      [](Ends& ends, model::AckCallback done) { ends.router.submit(std::move(ends.chunk), std::move(done)); });
}

TEST_F(FlowMemoryTest, a_chunk_that_meets_an_open_breaker_has_one_verdict) {
  expect_one_verdict(
      [](Ends& ends) {
        ends.guarded_collector.submit(ends.chunk, [](const model::Ack&) {});
        ends.collector.answer(std::move(ends.refusal));
      },
      [](Ends& ends, model::AckCallback done) {
        ends.guarded_collector.submit(std::move(ends.chunk), std::move(done));
      });
}

}  // namespace
}  // namespace arca::flow
