#include "telemetry/cassandra_tier.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <new>
#include <thread>

#include "fakes/fake_parking_store.hpp"
#include "fakes/fake_source.hpp"
#include "support/wait.hpp"
#include "telemetry/pipeline.hpp"

namespace arca::telemetry {
namespace {

using namespace std::chrono_literals;
using fakes::FakeParkingStore;
using fakes::StoreCall;

// A cluster in memory: it is reached when the test says so, and its tables are as the test says.
class FakeLink final : public CassandraLink {
 public:
  explicit FakeLink(os::Clock& clock) : store_(clock) {}

  cassandra::ParkingStore& store() noexcept override { return store_; }
  cassandra::ConnectionStatus connection() const override {
    cassandra::ConnectionStatus status;
    status.connected = connected.load();
    status.node_count = 3;
    status.up_count = connected ? 2U : 0U;
    status.last_error = "refused";
    return status;
  }
  Result<cassandra::SchemaReport> prepare() override {
    if (++prepare_count <= prepare_failures) throw std::bad_alloc();
    while (prepare_waits && !closed) std::this_thread::yield();
    const std::lock_guard lock(mutex_);
    return report_;
  }
  void set_schema_watch(std::function<void()> watch) override { watch_ = std::move(watch); }
  // As a real one whose nodes are silent: answers under way are waited for until the deadline.
  void close(base::SteadyTime deadline) noexcept override {
    while (close_waits && !closed && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    closed = true;
  }

  void answer(Result<cassandra::SchemaReport> report) {
    const std::lock_guard lock(mutex_);
    report_ = std::move(report);
  }
  void tables_are_gone() { watch_(); }

  FakeParkingStore store_;
  std::atomic<bool> connected{true};
  std::atomic<bool> prepare_waits{false};
  std::atomic<bool> close_waits{false};
  std::atomic<bool> closed{false};
  std::atomic<int> prepare_count{0};
  std::atomic<int> prepare_failures{0};

 private:
  std::mutex mutex_;
  Result<cassandra::SchemaReport> report_ = cassandra::SchemaReport{};
  std::function<void()> watch_;
};

class CassandraTierTest : public testing::Test {
 protected:
  CassandraTierOptions options() {
    CassandraTierOptions made;
    made.writer = model::WriterId{7};
    made.host = "host";
    made.writes_rows = false;
    made.poll = 1ms;
    made.schema_retry_first = 1ms;
    made.schema_retry_max = 5ms;
    made.collector_is_well = [this] { return collector_is_well.load(); };
    return made;
  }
  void start() { start(options()); }
  void start(CassandraTierOptions with) {
    auto made = std::make_unique<FakeLink>(clock);
    link = made.get();
    if (prepare_link) prepare_link(*made);
    auto started = CassandraTier::start(std::move(made), clock, std::move(with));
    ASSERT_TRUE(started.has_value()) << started.error().message();
    tier = std::move(*started);
  }
  bool is_ready(model::Sink& sink) { return sink.readiness(model::Signal::traces, clock.steady_now()).ready; }
  bool await_ready() {
    return support::wait_until([&] { return is_ready(tier->own()); });
  }
  std::optional<model::Ack> park(model::Sink& sink, std::uint64_t sequence) {
    auto answer = std::make_shared<std::optional<model::Ack>>();
    auto mutex = std::make_shared<std::mutex>();
    sink.submit(fakes::make_chunk(sequence, model::Signal::traces), [=](model::Ack ack) {
      const std::lock_guard lock(*mutex);
      *answer = std::move(ack);
    });
    support::wait_until([&] {
      const std::lock_guard lock(*mutex);
      return answer->has_value();
    });
    const std::lock_guard lock(*mutex);
    return *answer;
  }

  os::SystemClock clock;
  std::atomic<bool> collector_is_well{true};
  std::function<void(FakeLink&)> prepare_link;
  FakeLink* link = nullptr;
  std::unique_ptr<CassandraTier> tier;
};

TEST_F(CassandraTierTest, StartsWithoutAClusterAndParksWhenItIsThere) {
  prepare_link = [](FakeLink& made) { made.connected = false; };
  start();
  EXPECT_FALSE(is_ready(tier->own()));
  const auto refused = park(tier->own(), 1);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->verdict, model::Verdict::retry);
  EXPECT_TRUE(support::wait_until([&] { return tier->status().last_error.find("refused") != std::string::npos; }));
  EXPECT_EQ(link->prepare_count, 0);
  link->connected = true;
  ASSERT_TRUE(await_ready());
  const auto parked = park(tier->own(), 2);
  ASSERT_TRUE(parked);
  EXPECT_EQ(parked->verdict, model::Verdict::parked);
  EXPECT_EQ(parked->tier, model::Tier::cassandra);
  EXPECT_EQ(tier->parked_items().waiting_item_count, fakes::make_chunk(2, model::Signal::traces).item_count);
}

TEST_F(CassandraTierTest, TablesThatDifferAreSaidAndNothingIsParkedUntilTheyFit) {
  prepare_link = [](FakeLink& made) {
    cassandra::SchemaReport report;
    report.differences = {"chunks: payload is text, should be blob"};
    made.answer(report);
  };
  start();
  EXPECT_TRUE(support::wait_until([&] { return link->prepare_count > 2; }));
  EXPECT_FALSE(is_ready(tier->own()));
  EXPECT_NE(tier->status().last_error.find("payload is text"), std::string::npos) << tier->status().last_error;
  link->answer(cassandra::SchemaReport{});
  EXPECT_TRUE(await_ready());
  EXPECT_TRUE(support::wait_until([&] { return tier->status().ready; }));
}

TEST_F(CassandraTierTest, TablesThatAreDroppedWhileItRunsAreLookedAtAgain) {
  start();
  ASSERT_TRUE(await_ready());
  const int before = link->prepare_count;
  link->answer(failure(ErrorCode::unavailable, "no keyspace"));
  link->tables_are_gone();
  EXPECT_TRUE(support::wait_until([&] { return !is_ready(tier->own()) && link->prepare_count > before; }));
  link->answer(cassandra::SchemaReport{});
  EXPECT_TRUE(await_ready());
}

TEST_F(CassandraTierTest, AfterTablesWereMadeAnewNothingGoesIntoASegmentOfTheOldOnes) {
  start();
  ASSERT_TRUE(await_ready());
  ASSERT_EQ(park(tier->own(), 1)->verdict, model::Verdict::parked);
  const int before = link->prepare_count;
  link->tables_are_gone();
  ASSERT_TRUE(support::wait_until([&] { return link->prepare_count > before; }));
  ASSERT_TRUE(await_ready());
  ASSERT_EQ(park(tier->own(), 2)->verdict, model::Verdict::parked);
  EXPECT_EQ(link->store_.count(StoreCall::open_segment), 2U);
}

TEST_F(CassandraTierTest, WhenTheCollectorIsBackOpenSegmentsAreSealedAtOnce) {
  collector_is_well = false;
  start();
  ASSERT_TRUE(await_ready());
  ASSERT_EQ(park(tier->own(), 1)->verdict, model::Verdict::parked);
  EXPECT_EQ(link->store_.count(StoreCall::seal_segment), 0U);
  const auto begin = clock.steady_now();
  collector_is_well = true;
  EXPECT_TRUE(support::wait_until([&] { return link->store_.count(StoreCall::seal_segment) > 0; }, 1500ms));
  EXPECT_LT(clock.steady_now() - begin, 1900ms) << "the idle time of a segment is 2 s";
}

TEST_F(CassandraTierTest, ItsOwnItemsAreToldApartFromThoseOfDeadWriters) {
  start();
  ASSERT_TRUE(await_ready());
  ASSERT_EQ(park(tier->foreign(), 1)->verdict, model::Verdict::parked);
  EXPECT_EQ(tier->parked_items().waiting_item_count, 0U);
  EXPECT_GT(tier->status().parked_bytes, 0U);
}

TEST_F(CassandraTierTest, IsDrainedOnlyOnceALookBeganAfterTheLastChunkWasParkedHere) {
  collector_is_well = false;
  CassandraTierOptions rare = options();
  rare.scan_interval = 1h;  // no look but those that are asked for
  start(rare);
  ASSERT_TRUE(await_ready());
  const auto drained = [&] {
    tier->tend_parked(clock.steady_now());
    return tier->is_drained();
  };
  ASSERT_TRUE(support::wait_until(drained));
  ASSERT_EQ(park(tier->foreign(), 1)->verdict, model::Verdict::parked);
  EXPECT_FALSE(tier->is_drained());
  EXPECT_TRUE(support::wait_until([&] { return !drained() && tier->status().segments_known == 1; }));
  EXPECT_FALSE(drained());
}

TEST_F(CassandraTierTest, EndsInTimeWhileTheClusterDoesNotAnswer) {
  prepare_link = [](FakeLink& made) {
    made.prepare_waits = true;
    made.close_waits = true;
  };
  start();
  ASSERT_TRUE(support::wait_until([&] { return link->prepare_count > 0; }));
  const auto begin = clock.steady_now();
  tier->end(begin + 200ms);
  tier.reset();
  EXPECT_LT(clock.steady_now() - begin, 1200ms);
}

TEST_F(CassandraTierTest, EndsInTimeWhileASealIsNotAnswered) {
  collector_is_well = false;
  prepare_link = [](FakeLink& made) { made.close_waits = true; };
  start();
  ASSERT_TRUE(await_ready());
  ASSERT_EQ(park(tier->own(), 1)->verdict, model::Verdict::parked);
  link->store_.hold(StoreCall::seal_segment, FakeParkingStore::Hold::request);
  collector_is_well = true;  // its thread begins to seal, and waits
  ASSERT_TRUE(support::wait_until([&] { return link->store_.held_count(StoreCall::seal_segment) > 0; }));
  const auto begin = clock.steady_now();
  tier->end(begin + 200ms);
  tier.reset();  // has nothing left to do
  EXPECT_LT(clock.steady_now() - begin, 1200ms);
}

TEST_F(CassandraTierTest, WhatIsUnderWayIsAnsweredWhenTheEndReturns) {
  start();
  ASSERT_TRUE(await_ready());
  link->store_.hold(StoreCall::put_chunk, FakeParkingStore::Hold::request);
  std::atomic<int> answered{0};
  tier->own().submit(fakes::make_chunk(1, model::Signal::traces), [&](const model::Ack&) { ++answered; });
  tier->end(clock.steady_now() + 50ms);
  EXPECT_EQ(answered, 1);
}

TEST_F(CassandraTierTest, GoesOnAfterMemoryHasRunOutForAWhile) {
  prepare_link = [](FakeLink& made) { made.prepare_failures = 3; };
  start();
  EXPECT_TRUE(await_ready());
  EXPECT_EQ(link->prepare_count, 4);
}

TEST_F(CassandraTierTest, AtTheEndWhatIsOpenIsSealed) {
  start();
  ASSERT_TRUE(await_ready());
  ASSERT_EQ(park(tier->own(), 1)->verdict, model::Verdict::parked);
  FakeParkingStore& store = link->store_;
  tier->end(clock.steady_now() + 5s);
  EXPECT_EQ(store.count(StoreCall::seal_segment), 1U);
  EXPECT_EQ(store.violation_count(), 0);
}

TEST_F(CassandraTierTest, WhatRecoveryHasMadeOfParkedItemsCountsAsThat) {
  Status status;
  status.traces = {.accepted = 100, .delivered = 20, .parked = 80};
  ASSERT_TRUE(status.holds());
  count_replayed({.delivered = {50, 0, 0}, .quarantined = {5, 0, 0}}, status);
  EXPECT_EQ(status.traces.parked, 25U);
  EXPECT_EQ(status.traces.delivered, 70U);
  EXPECT_EQ(status.traces.quarantined, 5U);
  EXPECT_TRUE(status.holds());
  count_replayed({.delivered = {500, 0, 0}}, status);  // more than was ever parked: never below nothing
  EXPECT_EQ(status.traces.parked, 0U);
  EXPECT_TRUE(status.holds());
}

TEST_F(CassandraTierTest, WhatIsGoneBeforeItWasDeliveredCountsAsLostAndIsNotWaitedFor) {
  CassandraTierOptions with = options();
  with.chunk_ttl = std::chrono::seconds(0);
  with.timing.lifetime = 50ms;
  with.timing.margin = 50ms;
  start(with);
  ASSERT_TRUE(await_ready());
  const std::uint64_t items = fakes::make_chunk(1, model::Signal::traces).item_count;
  ASSERT_EQ(park(tier->own(), 1)->verdict, model::Verdict::parked);
  EXPECT_TRUE(support::wait_until([&] { return tier->parked_items().waiting_item_count == 0; }));
  EXPECT_EQ(tier->parked_items().lost[0], items);
  Status status;
  status.traces = {.accepted = items, .parked = items};
  count_replayed(tier->parked_items(), status);
  EXPECT_EQ(status.traces.lost, items);
  EXPECT_TRUE(status.holds());
}

}  // namespace
}  // namespace arca::telemetry
