// A writer and recoverers together, in a world in which chunks that were acknowledged vanish, writers stand still with
// both their clocks, and recoverers die: what the writer says has become of its items is what has become of them.
#include "cassandra/cassandra_sink.hpp"
#include "cassandra/parked_fixture.hpp"
#include "support/repeated.hpp"

namespace arca::cassandra {
namespace {

class ParkedAccountTest : public ParkedSourceTest {
 protected:
  CassandraSinkOptions writing() {
    CassandraSinkOptions made;
    made.writer = WriterId{7};
    made.host = "host";
    return made;
  }
  void submit(CassandraSink& writer, std::uint64_t sequence, Signal signal) {
    writer.submit(fakes::make_chunk(sequence, signal, 10, 100, 7), [this, signal](const model::Ack& ack) {
      if (ack.verdict == Verdict::parked) counted.emplace(ack.chunk_id, signal);
    });
  }
  // Both live on, the writer by a clock of its own, unless it stands still.
  void live_on(Recoverer& recoverer, CassandraSink& writer, base::Duration span, bool is_paused = false) {
    for (base::Duration passed{}; passed < span; passed += 500ms) {
      live({&recoverer}, 500ms);
      if (is_paused) continue;
      writer_clock.advance(500ms);
      writer.tend(writer_clock.steady_now());
    }
  }
  static std::uint64_t sum(const ItemCounts& counts) { return counts[0] + counts[1] + counts[2]; }
  static void expect_law(const ParkedAccount& account, bool is_at_end) {
    for (std::size_t i = 0; i < model::signal_count; ++i) {
      const std::uint64_t done = account.delivered[i] + account.quarantined[i] + account.lost[i];
      EXPECT_LE(done, account.parked[i]);
      if (is_at_end) {
        EXPECT_EQ(done, account.parked[i]);
      }
    }
  }

  fakes::FakeClock writer_clock;
  std::map<ChunkId, Signal> counted;  // by the writer, as parked
};

TEST_F(ParkedAccountTest, what_was_written_anew_counts_as_delivered_when_it_is) {
  FakeParkingStore old_store{clock, {.chunk_ttl = 86'400s, .directory_ttl = 2 * 86'400s}};
  ParkedSourceOptions short_lived = options();
  short_lived.chunk_ttl = 86'400s;
  short_lived.scan_interval = 60s;
  Recoverer one(old_store, sink, clock, random, short_lived, {});
  CassandraSink writer(old_store, nullptr, clock, random, writing());
  sink.answer_by([](const model::Chunk& chunk) {
    return FakeSink::make(chunk.id, chunk.id.sequence == 1 ? Verdict::delivered : Verdict::retry);
  });
  for (std::uint64_t i = 1; i <= 10; ++i) submit(writer, i, i == 10 ? Signal::metrics : Signal::traces);
  const auto pass = [&](base::Duration span, base::Duration step) {
    for (base::Duration passed{}; passed < span; passed += step) {
      live({&one}, step);
      writer.tend(clock.steady_now());
    }
  };
  pass(10s, 1s);
  pass(21h, 5min);
  ASSERT_EQ(one.source.status().rewritten_chunk_count, 9U);
  EXPECT_EQ(sum(writer.account().delivered), 0U)
      << "nothing of it has arrived but one chunk, in a segment that is not over";
  EXPECT_TRUE(writer.holds_metrics());
  sink.answer_at_once(Verdict::delivered);
  pass(10min, 1s);
  EXPECT_EQ(sum(writer.account().delivered), 100U);
  EXPECT_EQ(sum(writer.account().lost), 0U);
  EXPECT_EQ(writer.account().waiting_segment_count, 0U);
  EXPECT_FALSE(writer.holds_metrics());
}

TEST_F(ParkedAccountTest, a_virtual_machine_that_is_paused_loses_nothing_and_says_nothing_else) {
  CassandraSink writer(store, nullptr, writer_clock, random, writing());
  const auto one = recoverer();
  submit(writer, 1, Signal::traces);
  live_on(*one, writer, 1s);
  store.hold(StoreCall::put_chunk, FakeParkingStore::Hold::request);
  submit(writer, 2, Signal::traces);
  live_on(*one, writer, 10min, true);  // the segment is ended meanwhile: by everybody else's time no writer adds to it
  ASSERT_TRUE(store.segments().at(0).replayed_at);
  store.hold(FakeParkingStore::Hold::none);
  store.deliver_all();
  submit(writer, 3, Signal::traces);
  ASSERT_EQ(counted.size(), 3U);
  live_on(*one, writer, 2min);
  EXPECT_EQ(arrivals().size(), 3U);
  EXPECT_EQ(repeated_count(), 0U);
  EXPECT_EQ(writer.account().delivered[0], 30U);
  EXPECT_EQ(sum(writer.account().lost), 0U);
  EXPECT_EQ(writer.account().waiting_segment_count, 0U);
}

// --- whatever may happen -------------------------------------------------------------------------

class ParkedAccountModelTest : public ParkedAccountTest, public testing::WithParamInterface<int> {
 protected:
  std::uint64_t below(std::uint64_t limit) { return chance.next() % limit; }
  bool one_in(std::uint64_t of) { return below(of) == 0; }

  StoreFailure any_failure() {
    constexpr std::array outcomes{Outcome::not_sent, Outcome::not_taken, Outcome::unknown, Outcome::unknown};
    return {.outcome = outcomes[below(outcomes.size())], .applied = one_in(2)};
  }
  void answer_some() {
    for (std::uint64_t i = below(6); i > 0 && sink.pending_count() > 0; --i) {
      const std::size_t index = below(sink.pending_count());
      model::Ack ack = FakeSink::make(sink.pending_id(index), Verdict::delivered, "model");
      const std::uint64_t fate = below(12);
      if (fate == 0) ack.verdict = Verdict::retry;
      if (fate == 1) ack.verdict = Verdict::rejected;
      if (fate == 2) ack.refused_item_count = 3;
      if (ack.verdict == Verdict::delivered) arrived.insert(ack.chunk_id);
      sink.ack(index, ack);
    }
  }
  void lose_something() {
    const auto segments = store.segments();
    if (segments.empty()) return;
    const Uuid id = segments[below(segments.size())].head.name.id;
    const auto chunks = store.chunks(id);
    if (chunks.empty()) return;
    store.lose_chunk(id, chunks[below(chunks.size())].position);
    ++lost_count;
  }
  void live_all(base::Duration span) {
    live(all(), span);
    if (is_paused) return;
    writer_clock.advance(span);
    writer->tend(writer_clock.steady_now());
  }
  std::vector<Recoverer*> all() {
    std::vector<Recoverer*> made;
    for (const auto& each : recoverers) made.push_back(each.get());
    return made;
  }
  void step(bool loses) {
    if (!is_paused && one_in(3)) submit(*writer, ++sequence, model::all_signals[below(3)]);
    if (one_in(2)) answer_some();
    if (one_in(12))
      store.hold(static_cast<StoreCall>(below(fakes::store_call_count)),
                 std::array{FakeParkingStore::Hold::none, FakeParkingStore::Hold::request,
                            FakeParkingStore::Hold::answer}[below(3)]);
    if (one_in(2) && store.held_count() > 0)
      store.deliver(below(store.held_count()), one_in(5) ? std::optional(any_failure()) : std::nullopt);
    if (one_in(10))
      store.fail_next(static_cast<StoreCall>(below(fakes::store_call_count)), static_cast<int>(1 + below(3)),
                      any_failure());
    if (one_in(200)) is_paused = !is_paused;
    if (one_in(150)) recoverers[below(recoverers.size())] = recoverer();
    if (loses && one_in(60)) lose_something();
    live_all(std::chrono::milliseconds(below(one_in(20) ? 20'000 : 1500)));
  }
  void fair_weather() {
    is_paused = false;
    store.heal();
    store.hold(FakeParkingStore::Hold::none);
    store.deliver_all();
    sink.answer_by([this](const model::Chunk& chunk) {
      arrived.insert(chunk.id);
      return FakeSink::make(chunk.id, Verdict::delivered);
    });
    while (sink.pending_count() > 0) {
      arrived.insert(sink.pending_id(0));
      sink.ack(0, Verdict::delivered);
    }
    // By the cluster's time a writer that was paused parks in old buckets, which are looked at every half an hour.
    for (int i = 0; i < 1500; ++i) live_all(3s);
  }

  os::SeededRandom chance{0};
  std::unique_ptr<CassandraSink> writer;
  std::vector<std::unique_ptr<Recoverer>> recoverers;
  bool is_paused = false;  // the writer's machine
  std::uint64_t sequence = 0;
  std::size_t lost_count = 0;
  std::set<ChunkId> arrived;  // at the Collector, all but what it refused of it
};

TEST_P(ParkedAccountModelTest, nothing_that_is_missing_counts_as_delivered_and_nothing_that_is_there_as_lost) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  const bool loses = GetParam() % 2 == 1;
  chance = os::SeededRandom(static_cast<std::uint64_t>(GetParam()) + 1);
  CassandraSinkOptions made = writing();
  made.segment_bytes = 1000 + below(3000);
  writer = std::make_unique<CassandraSink>(store, nullptr, writer_clock, random, made);
  recoverers.resize(1 + below(2));
  for (auto& each : recoverers) each = recoverer();
  sink.answer_later();
  for (int i = 0; i < 4000; ++i) {
    step(loses);
    if (i % 50 == 0) expect_law(writer->account(), false);
  }
  fair_weather();

  const ParkedAccount account = writer->account();
  expect_law(account, true);
  EXPECT_EQ(account.waiting_segment_count, 0U);
  EXPECT_FALSE(writer->holds_metrics());
  std::set<ChunkId> quarantined;
  for (const QuarantinedChunk& each : store.quarantined()) quarantined.insert(each.chunk.id);
  ItemCounts parked_items{};
  ItemCounts gone{};  // really
  for (const auto& [id, signal] : counted) {
    parked_items[model::index_of(signal)] += 10;
    if (!arrived.contains(id) && !quarantined.contains(id)) gone[model::index_of(signal)] += 10;
  }
  EXPECT_EQ(account.parked, parked_items);
  for (std::size_t i = 0; i < model::signal_count; ++i) EXPECT_GE(account.lost[i], gone[i]);
  if (loses) {
    EXPECT_GT(lost_count, 20U);
  } else {
    EXPECT_EQ(account.lost, ItemCounts{});
    EXPECT_EQ(gone, ItemCounts{});
  }
  EXPECT_EQ(store.violation_count(), 0);
  EXPECT_GT(counted.size(), 100U);
}

INSTANTIATE_TEST_SUITE_P(seeds, ParkedAccountModelTest, testing::Range(0, support::repeated(60)));

}  // namespace
}  // namespace arca::cassandra
