// Random operations against writers that park, recoverers that crash, freeze and share, a Collector and a Cassandra
// that have bad days. In the end every chunk that a writer counts as parked was taken to the last item or lies in
// quarantine, and whatever came twice came under the same id.
#include "cassandra/parked_fixture.hpp"
#include "support/repeated.hpp"

namespace arca::cassandra {
namespace {

class ParkedModelTest : public ParkedSourceTest, public testing::WithParamInterface<int> {
 protected:
  struct Writer {
    std::uint64_t id = 0;
    std::uint64_t sequence = 0;
    std::optional<SegmentHead> head;
    base::SteadyTime opened_at{};
    std::int32_t position = 0;
  };

  std::uint64_t below(std::uint64_t limit) { return chance.next() % limit; }

  void SetUp() override {
    chance = os::SeededRandom(static_cast<std::uint64_t>(GetParam()) + 1);
    for (std::uint64_t i = 0; i < 4; ++i) writers.push_back({.id = 100 + i, .head = {}});
    recoverers.resize(1 + below(3));
    for (auto& each : recoverers) each = start();
    sink.answer_later();
  }
  std::unique_ptr<Recoverer> start() {
    ParkedSourceOptions made = options();
    made.read_ahead_chunks = static_cast<std::uint32_t>(2 + below(12));
    made.shards_max = static_cast<std::uint32_t>(1 + below(4));
    made.progress_interval = std::chrono::milliseconds(below(2000));
    return recoverer(made, static_cast<std::uint32_t>(1 + below(5)));
  }

  // As CassandraSink does it: within the life of the segment, one metric chunk at a time, anew if an answer came too
  // late.
  void park(Writer& writer) {
    if (writer.head && now() - writer.opened_at >= 20s) end(writer);
    if (!writer.head) {
      writer.head = open(writer.id);
      writer.opened_at = now();
      writer.position = 0;
    }
    const Signal signal = model::all_signals[below(3)];
    const model::Chunk chunk = chunk_of(*writer.head, ++writer.sequence, signal);
    for (;;) {
      const std::uint64_t fate = below(20);
      if (fate == 0) {  // it never reached the cluster, or nobody knows
        ++writer.position;
      } else if (fate == 1) {  // it did, but the writer does not count it
        put(*writer.head, writer.position++, chunk);
        parked.erase(chunk.id);
      } else {
        put(*writer.head, writer.position++, chunk);
        return;
      }
      end(writer);
      clock.advance(1ms);
      writer.head = open(writer.id);
      writer.opened_at = now();
      writer.position = 0;
    }
  }
  void end(Writer& writer) {
    if (!writer.head) return;
    if (below(4) != 0) seal(*writer.head);  // else it died, or could not
    writer.head.reset();
    clock.advance(1ms);
  }

  model::Ack any_ack(const ChunkId& id) {
    switch (below(10)) {
      case 0:
        return FakeSink::make(id, Verdict::retry);
      case 1:
        return FakeSink::make(id, Verdict::unknown);
      case 2:
        return FakeSink::make(id, Verdict::rejected, "model");
      case 3: {
        model::Ack ack = FakeSink::make(id, Verdict::delivered, "model");
        ack.refused_item_count = 1;
        return ack;
      }
      default:
        return FakeSink::make(id, Verdict::delivered);
    }
  }
  void answer_some() {
    for (std::uint64_t i = below(4); i > 0 && sink.pending_count() > 0; --i) {
      const std::size_t index = below(sink.pending_count());
      const model::Ack ack = any_ack(sink.pending_id(index));
      if (ack.verdict == Verdict::delivered && ack.refused_item_count == 0) taken.insert(ack.chunk_id);
      sink.ack(index, ack);
    }
  }
  StoreFailure any_failure() {
    constexpr std::array outcomes{Outcome::not_sent, Outcome::not_taken, Outcome::unknown, Outcome::unknown};
    return {.outcome = outcomes[below(outcomes.size())], .applied = below(2) == 0};
  }

  void change_the_world() {
    switch (below(14)) {
      case 0:
      case 1:
      case 2:
        without_trouble([this] { park(writers[below(writers.size())]); });
        break;
      case 3:
        without_trouble([this] { end(writers[below(writers.size())]); });
        break;
      case 4:
      case 5:
        answer_some();
        break;
      case 6:
        clock.advance(std::chrono::milliseconds(below(below(20) == 0 ? 60'000 : 3000)));
        break;
      case 7:
        store.fail_next(static_cast<StoreCall>(below(fakes::store_call_count)), static_cast<int>(1 + below(3)),
                        any_failure());
        break;
      case 8:
        store.hold(static_cast<StoreCall>(below(fakes::store_call_count)),
                   std::array{FakeParkingStore::Hold::none, FakeParkingStore::Hold::request,
                              FakeParkingStore::Hold::answer}[below(3)]);
        break;
      case 9:
      case 10:
        if (const std::size_t held = store.held_count(); held > 0) {
          store.deliver(below(held), below(4) == 0 ? std::optional(any_failure()) : std::nullopt);
        }
        break;
      default:
        break;
    }
    if (below(100) == 0) {  // it dies, and another one starts
      auto& victim = recoverers[below(recoverers.size())];
      victim.reset();
      victim = start();
    }
    if (below(200) == 0) frozen = below(2) == 0 ? std::optional(below(recoverers.size())) : std::nullopt;
  }
  // The writers' own trouble is modelled in park().
  template <class Body>
  void without_trouble(Body body) {
    store.hold(FakeParkingStore::Hold::none);
    store.heal();
    body();
  }

  void fair_weather() {
    frozen.reset();
    store.heal();
    store.hold(FakeParkingStore::Hold::none);
    store.deliver_all();
    for (Writer& writer : writers) end(writer);
    sink.answer_at_once(Verdict::delivered);
    while (sink.pending_count() > 0) {
      taken.insert(sink.pending_id(0));
      sink.ack(0, Verdict::delivered);
    }
    std::vector<Recoverer*> all;
    for (const auto& each : recoverers) all.push_back(each.get());
    live(all, 10min);
  }

  os::SeededRandom chance{0};
  std::vector<Writer> writers;
  std::vector<std::unique_ptr<Recoverer>> recoverers;
  std::optional<std::size_t> frozen;
  std::set<ChunkId> taken;  // to the last item
};

TEST_P(ParkedModelTest, every_item_that_was_parked_arrives_or_lies_in_quarantine) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  for (int operation = 0; operation < 4000; ++operation) {
    change_the_world();
    for (std::size_t i = 0; i < recoverers.size(); ++i) {
      if (frozen == i) continue;
      recoverers[i]->step(now());
      ASSERT_LE(recoverers[i]->dispatcher.in_flight_count(), 5U);
    }
  }
  const std::size_t sent_in_trouble = sink.submitted().size();
  fair_weather();
  const auto arrived = arrivals();
  std::set<ChunkId> quarantined;
  for (const QuarantinedChunk& chunk : store.quarantined()) quarantined.insert(chunk.chunk.id);
  for (std::size_t i = sent_in_trouble; i < sink.submitted().size(); ++i) taken.insert(sink.submitted()[i].id);
  for (const ChunkId& id : parked) {
    ASSERT_TRUE(arrived.contains(id)) << model::to_string(id);
    ASSERT_TRUE(taken.contains(id) || quarantined.contains(id)) << model::to_string(id);
  }
  for (const SegmentEntry& entry : store.segments()) {
    EXPECT_TRUE(entry.replayed_at) << to_string(entry.head.name.id);
    EXPECT_EQ(entry.missing.value_or(0), 0U) << to_string(entry.head.name.id);
  }
  for (const auto& each : recoverers) {
    EXPECT_TRUE(each->source.is_drained());
    EXPECT_EQ(each->source.backlog().chunk_count, 0U);
    EXPECT_EQ(each->source.status().damaged_chunk_count, 0U);
  }
  std::map<std::uint64_t, std::uint64_t> latest;
  std::set<ChunkId> seen;
  for (const model::Chunk& chunk : sink.submitted()) {
    if (chunk.signal != Signal::metrics || !seen.insert(chunk.id).second) continue;
    std::uint64_t& before = latest[chunk.id.writer.value];
    EXPECT_GT(chunk.id.sequence, before);  // repeats aside
    before = chunk.id.sequence;
  }
  EXPECT_EQ(store.violation_count(), 0);
  EXPECT_GT(parked.size(), 100U);
}

INSTANTIATE_TEST_SUITE_P(seeds, ParkedModelTest, testing::Range(0, support::repeated(60)));

}  // namespace
}  // namespace arca::cassandra
