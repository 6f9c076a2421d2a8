// Random operations against the live lane as a whole: source, dispatcher, router, breakers, overflow. Whatever happens,
// every chunk ends settled exactly once, and the verdicts add up to what was put in.
#include <algorithm>
#include <memory>

#include "flow/flow_fixture.hpp"
#include "flow/router.hpp"
#include "flow/spiller.hpp"
#include "os/random.hpp"

namespace arca::flow {
namespace {

class FlowModelTest : public FlowFixture, public testing::WithParamInterface<int> {
 protected:
  std::uint64_t below(std::uint64_t limit) { return random.next() % limit; }

  // A verdict of a sink that has a bad day.
  model::Ack any_ack(const model::ChunkId& id, Verdict good) {
    model::Ack ack = FakeSink::make(id, good, "model");
    switch (below(8)) {
      case 0:
        ack = FakeSink::make(id, Verdict::retry);
        break;
      case 1:
        ack = FakeSink::make(id, Verdict::unknown);
        break;
      case 2:
        ack = FakeSink::make(id, Verdict::retry);
        ack.retry_after = std::chrono::seconds(below(40));
        break;
      case 3:
        if (good == Verdict::delivered) ack = FakeSink::make(id, Verdict::rejected);
        break;
      default:
        break;
    }
    return ack;
  }

  void answer_some(FakeSink& sink, Verdict good) {
    for (std::uint64_t i = below(4); i > 0 && sink.pending_count() > 0; --i) {
      const std::size_t index = below(sink.pending_count());
      const model::AckCallback again = sink.pending_callback(index);
      const model::ChunkId id = sink.pending_id(index);
      sink.ack(index, any_ack(id, good));
      if (below(10) == 0) again(any_ack(id, good));  // a sink that answers twice
    }
  }

  // Builds the lane with limits drawn by chance.
  void SetUp() override {
    random = os::SeededRandom(static_cast<std::uint64_t>(GetParam()) + 1);
    const ParkWhen when = below(2) == 0 ? ParkWhen::pressure : ParkWhen::outage;
    router = std::make_unique<Router>(
        guarded_collector, clock, std::vector<OverflowTier>{{.sink = &guarded_disk, .when = when, .holds_metrics = {}}},
        RouterOptions{.pressure = [this] { return pressure; }});
    random_options = options();
    random_options.in_flight_max = static_cast<std::uint32_t>(1 + below(8));
    random_options.random = uniform(random);
    start();
  }
  void start() { dispatcher = std::make_unique<Dispatcher>(source, *router, clock, random_options); }

  void change_the_world() {
    switch (below(12)) {
      case 0:
      case 1:
      case 2: {
        const auto items = static_cast<std::uint32_t>(1 + below(50));
        source.put(make_chunk(++sequence, model::all_signals[below(3)], items));
        break;
      }
      case 3:
        answer_some(collector, Verdict::delivered);
        break;
      case 4:
        answer_some(disk, Verdict::parked);
        break;
      case 5:
        clock.advance(std::chrono::milliseconds(below(3000)));
        break;
      case 6:
        pressure = static_cast<double>(below(100)) / 100.0;
        break;
      case 7:
        source.fail_settles(static_cast<int>(below(3)));
        break;
      case 8:
        source.fail_claims(static_cast<int>(below(3)));
        break;
      case 9:
        spiller.make_room();
        break;
      case 10:
        if (below(20) == 0) router->cancel_all();
        if (below(50) == 0) collector.set_readiness({.ready = below(2) == 0, .ask_again_at = now() + 1s});
        break;
      default:
        break;
    }
    if (below(400) != 0) return;
    counters += dispatcher->counters();  // the process dies; its dispatcher with it
    dispatcher.reset();
    source.forget_claims();
    start();
  }

  void fair_weather() {
    collector.set_readiness({});
    collector.answer_at_once(Verdict::delivered);
    disk.answer_at_once(Verdict::parked);
    collector.ack_all(Verdict::delivered);
    disk.ack_all(Verdict::parked);
    source.fail_settles(0);
    source.fail_claims(0);
    live(*dispatcher, 10min);
    counters += dispatcher->counters();
  }

  os::SeededRandom random{0};
  FakeSink collector;
  FakeSink disk;
  double pressure = 0;
  std::uint64_t sequence = 0;
  DispatcherCounters counters;
  DispatcherOptions random_options;
  GuardedSink guarded_collector{collector, clock, {}, uniform(random)};
  GuardedSink guarded_disk{disk, clock, {}, uniform(random)};
  std::unique_ptr<Router> router;
  std::unique_ptr<Dispatcher> dispatcher;
  Spiller spiller{source,
                  [this](const model::Chunk&) -> Result<void> {
                    if (below(3) == 0) return failure(ErrorCode::full, "full");
                    return {};
                  },
                  std::make_shared<Doorbell>(),
                  clock,
                  {.report = [](const Error&) {}}};
};

TEST_P(FlowModelTest, every_chunk_ends_settled_once_and_the_verdicts_add_up) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  for (int operation = 0; operation < 3000; ++operation) {
    change_the_world();
    dispatcher->step(now());
    ASSERT_LE(dispatcher->in_flight_count(), random_options.in_flight_max);
  }
  fair_weather();

  EXPECT_EQ(source.backlog().chunk_count, 0U);
  EXPECT_EQ(source.violation_count(), 0);
  std::uint64_t settled_by_us = 0;
  for (const Verdict verdict : {Verdict::delivered, Verdict::parked, Verdict::rejected}) {
    settled_by_us += counters.of(verdict).chunk_count;
  }
  EXPECT_EQ(settled_by_us + spiller.spilled_chunk_count(), sequence);
  for (const Signal signal : model::all_signals) {
    std::uint64_t settled = 0;
    for (const Verdict verdict : {Verdict::delivered, Verdict::parked, Verdict::rejected}) {
      settled += source.settled_items(verdict, signal);
    }
    EXPECT_EQ(settled, source.item_count(signal));
  }
  std::uint64_t latest = 0;
  for (const model::Chunk& chunk : collector.submitted()) {
    if (chunk.signal != Signal::metrics) continue;
    EXPECT_GE(chunk.id.sequence, latest);  // in order, repeats aside
    latest = chunk.id.sequence;
  }
}

INSTANTIATE_TEST_SUITE_P(seeds, FlowModelTest, testing::Range(0, 100));

}  // namespace
}  // namespace arca::flow
