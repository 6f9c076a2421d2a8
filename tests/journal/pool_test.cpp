// The pool's laws: what was appended is claimed once, in chunks whose ids stay, and counted exactly.
#include <algorithm>
#include <atomic>
#include <functional>
#include <random>
#include <set>
#include <thread>

#include "base/crash_point.hpp"
#include "journal/pool_fixture.hpp"
#include "journal/pool_view.hpp"

namespace arca::journal {
namespace {

using namespace std::chrono_literals;

TEST_F(PoolTest, WhatIsAppendedIsClaimedOnceInOrder) {
  auto pool = make();
  for (std::uint64_t i = 0; i < 1000; ++i) append(*pool, i);
  clock_.advance(2s);
  const auto numbers = drain(*pool);
  ASSERT_EQ(numbers.size(), 1000U);
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(numbers[i], i);
  EXPECT_EQ(pool->totals()[0].delivered, 1000U);
  EXPECT_TRUE(pool->empty());
  expect_law(*pool);
}

TEST_F(PoolTest, AnOpenChunkIsClaimedWhenTheScheduleDelayHasPassed) {
  auto pool = make();
  static_cast<void>(claim(*pool));
  append(*pool, 1);
  EXPECT_FALSE(claim(*pool));
  clock_.advance(1001ms);
  EXPECT_TRUE(claim(*pool));
}

// Two pools in one process, as with two providers: a thread's lane in each stays its own, also when it is handed on.
TEST_F(PoolTest, AThreadThatAlternatesBetweenPoolsLeavesOneLaneInEach) {
  auto pool = make();
  PoolOptions options;
  options.writer = {78};
  options.path = directory_ / "other";
  options.size_max = options.size_initial = 1U << 20U;
  auto other = Pool::create(options, clock_);
  ASSERT_TRUE(other);
  const auto context = (*other)->intern({base::as_bytes(resource_bytes), base::as_bytes(scope_bytes)});
  std::thread([&] {
    for (std::uint64_t i = 0; i < 5; ++i) {
      append(*pool, i);
      ASSERT_EQ((*other)->append(Signal::traces, *context, record_of(i), 1), AppendStatus::accepted);
    }
  }).join();
  ASSERT_EQ(drain(*pool).size(), 5U);
  // Two threads that live at the same time must not share what the dead one left.
  append(*pool, 10);
  std::thread([&] {
    append(*pool, 11);
    std::thread([&] { append(*pool, 12); }).join();
    const auto view = PoolView::open(directory_ / "pool");
    ASSERT_TRUE(view);
    const auto info = view->read();
    ASSERT_TRUE(info);
    const auto is_open = [](const ChunkInfo& chunk) { return chunk.state == layout::ChunkState::open; };
    EXPECT_EQ(std::count_if(info->chunks.begin(), info->chunks.end(), is_open), 2);
  }).join();
}

std::function<void()> while_sealing;

TEST_F(PoolTest, MetricsKeepTheirOrderWhenAChunkGetsFullWhileItIsScraped) {
  auto pool = make();
  append(*pool, 0);
  std::uint64_t number = 100;
  append(*pool, number++, Signal::metrics);
  while_sealing = [&] {
    for (int i = 0; i < 6; ++i) append(*pool, number++, Signal::metrics, 4000);  // more than the rest of a small chunk
  };
  base::crash_hook = +[](const char* point) noexcept {
    if (std::string_view(point) == "pool.range.sealed" && while_sealing) std::exchange(while_sealing, {})();
  };
  clock_.advance(2s);
  ASSERT_TRUE(pool->settle(ack(*claim(*pool))));  // the span
  clock_.advance(2s);
  const auto numbers = drain(*pool);
  base::crash_hook = nullptr;
  EXPECT_EQ(numbers.size(), 7U);
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
}

// A verdict alone frees no chunk: the sink may still read the payload.
TEST_F(PoolTest, WhoeverFoundNoRoomIsToldWhenTheLastReaderFreesAChunk) {
  auto pool = make(1U << 20U);
  std::uint64_t count = 0;
  while (pool->append(Signal::traces, context_, record_of(count, 4000), 1) == AppendStatus::accepted) ++count;
  int told = 0;
  pool->set_freed_hook([&told] { ++told; });
  EXPECT_EQ(pool->append(Signal::traces, context_, record_of(count, 4000), 1), AppendStatus::no_room);
  clock_.advance(2s);
  auto first = claim(*pool);
  ASSERT_TRUE(first);
  ASSERT_TRUE(pool->settle(ack(*first)));
  EXPECT_EQ(told, 0);
  first.reset();
  EXPECT_EQ(told, 1);
  EXPECT_EQ(pool->append(Signal::traces, context_, record_of(count, 4000), 1), AppendStatus::accepted);
}

TEST_F(PoolTest, ARoomMakerWhoseRoomOthersTakeIsNotAskedForEver) {
  auto pool = make(1U << 20U);
  int calls = 0;
  pool->set_room_maker([&] {
    ++calls;
    return true;
  });
  while (pool->append(Signal::traces, context_, record_of(1, 4000), 1) == AppendStatus::accepted) {
  }
  EXPECT_EQ(calls, 100);
}

TEST_F(PoolTest, ARetryKeepsTheIdAndTheBytes) {
  auto pool = make();
  append(*pool, 5);
  const auto first = claim(*pool);
  ASSERT_TRUE(first);
  pool->release(first->chunk.id, clock_.steady_now() + 10s);
  EXPECT_FALSE(claim(*pool));
  clock_.advance(11s);
  append(*pool, 6);
  const auto again = claim(*pool);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->chunk.id, first->chunk.id);
  EXPECT_EQ(again->attempt_number, 2U);
  EXPECT_EQ(again->chunk.payload.flatten(), first->chunk.payload.flatten());
}

TEST_F(PoolTest, ScopesThatAlternateKeepTheirRecords) {
  auto pool = make();
  const auto other = pool->intern({base::as_bytes(resource_bytes), base::as_bytes("\x0A\x02TT")});
  ASSERT_TRUE(other);
  EXPECT_NE(*other, context_);
  for (std::uint64_t i = 0; i < 100; ++i) {
    ASSERT_EQ(pool->append(Signal::traces, i % 2 == 0 ? context_ : *other, record_of(i), 1), AppendStatus::accepted);
  }
  EXPECT_EQ(drain(*pool).size(), 100U);
}

TEST_F(PoolTest, ARecordOfEachSizeFitsUpToAChunk) {
  auto pool = make();
  std::size_t count = 0;
  for (const std::size_t filling : {0UL, 100UL, 16U * 1024UL - 20, 16U * 1024UL, 100'000UL, 256U * 1024UL - 32}) {
    append(*pool, count++, Signal::traces, filling);
  }
  EXPECT_EQ(pool->append(Signal::traces, context_, record_of(1, 256U * 1024U), 1), AppendStatus::too_large);
  EXPECT_EQ(drain(*pool).size(), count);
  expect_law(*pool);
}

TEST_F(PoolTest, AFullPoolRefusesAndServesAgainOnceSettled) {
  auto pool = make(1U << 20U);
  std::uint64_t accepted = 0;
  while (pool->append(Signal::traces, context_, record_of(accepted, 1000), 1) == AppendStatus::accepted) ++accepted;
  EXPECT_GT(accepted, 500U);
  EXPECT_GT(pool->fill(), 0.9);
  clock_.advance(2s);
  EXPECT_EQ(drain(*pool).size(), accepted);
  append(*pool, 1);
  expect_law(*pool);
}

TEST_F(PoolTest, TheRoomMakerIsAskedOnTheAppendingThread) {
  auto pool = make(1U << 20U);
  std::set<std::uint64_t> seen;
  pool->set_room_maker([&] {
    pool->seal_all();
    const auto next = claim(*pool);
    if (!next) return false;
    for (const std::uint64_t number : numbers_in(next->chunk.payload)) seen.insert(number);
    auto verdict = ack(*next, model::Verdict::parked);
    verdict.tier = model::Tier::journal;
    return pool->settle(verdict).has_value();
  });
  for (std::uint64_t i = 0; i < 5000; ++i) append(*pool, i, Signal::traces, 1000);
  clock_.advance(2s);
  for (const std::uint64_t number : drain(*pool)) seen.insert(number);
  EXPECT_EQ(seen.size(), 5000U);
  EXPECT_GT(pool->totals()[0].journaled, 0U);
  expect_law(*pool);
}

TEST_F(PoolTest, AChunkFreedWhileTheRoomMakerFindsNothingIsRoom) {
  auto pool = make(1U << 20U);
  std::uint64_t accepted = 0;
  while (pool->append(Signal::traces, context_, record_of(accepted, 1000), 1) == AppendStatus::accepted) ++accepted;
  std::optional<model::Claim> held = claim(*pool);
  ASSERT_TRUE(held);
  pool->set_room_maker([&] {  // the delivery of what was under way ends just now
    if (held) {
      EXPECT_TRUE(pool->settle(ack(*held)));
    }
    held.reset();
    return false;
  });
  append(*pool, accepted, Signal::traces, 1000);
}

TEST_F(PoolTest, APayloadKeepsItsChunkFromBeingUsedAgain) {
  auto pool = make(1U << 20U);
  append(*pool, 1);
  const auto held = claim(*pool);
  const auto before = held->chunk.payload.flatten();
  ASSERT_TRUE(pool->settle(ack(*held)));
  std::uint64_t i = 0;
  while (pool->append(Signal::traces, context_, record_of(++i, 1000), 1) == AppendStatus::accepted) {
  }
  EXPECT_EQ(held->chunk.payload.flatten(), before);
}

TEST_F(PoolTest, MetricsComeStrictlyInOrder) {
  auto pool = make();
  append(*pool, 1, Signal::metrics);
  const auto first = claim(*pool);
  append(*pool, 2, Signal::metrics);
  clock_.advance(2s);
  EXPECT_FALSE(claim(*pool));
  ASSERT_TRUE(pool->settle(ack(*first)));
  const auto second = claim(*pool);
  ASSERT_TRUE(second);
  EXPECT_EQ(numbers_in(second->chunk.payload), std::vector<std::uint64_t>{2});
}

TEST_F(PoolTest, AnOutageOfManyScrapesLosesNothing) {
  auto pool = make();
  std::set<std::uint64_t> numbers;
  std::uint64_t next = 0;
  for (int turn = 0; turn < 100; ++turn) {  // far more scrapes than a chunk has ranges, nothing settled
    append(*pool, next++);
    pool->seal_all();
  }
  clock_.advance(2s);
  for (const std::uint64_t number : drain(*pool)) EXPECT_TRUE(numbers.insert(number).second);
  EXPECT_EQ(numbers.size(), next);
  expect_law(*pool);
}

TEST_F(PoolTest, VerdictsAreCountedByKind) {
  auto pool = make();
  for (std::uint64_t i = 0; i < 5; ++i) {
    append(*pool, i, i % 2 == 0 ? Signal::traces : Signal::logs);
    pool->seal_all();
  }
  std::vector<model::Claim> claims;
  while (auto next = claim(*pool)) claims.push_back(std::move(*next));
  ASSERT_EQ(claims.size(), 5U);
  auto verdict = ack(claims[0], model::Verdict::rejected);
  verdict.tier = model::Tier::journal;
  ASSERT_TRUE(pool->settle(verdict));
  ASSERT_TRUE(pool->settle(ack(claims[1], model::Verdict::rejected)));  // the quarantine could not keep it
  auto partial = ack(claims[2]);
  partial.refused_item_count = 1;
  partial.tier = model::Tier::journal;
  ASSERT_TRUE(pool->settle(partial));
  const auto totals = pool->totals();
  EXPECT_EQ(totals[0].quarantined + totals[2].quarantined, 2U);
  EXPECT_EQ(totals[0].lost + totals[2].lost, 1U);
  expect_law(*pool);
  EXPECT_FALSE(pool->settle(ack(claims[0])));  // twice
}

TEST_F(PoolTest, AThreadThatEndsLeavesItsRecords) {
  auto pool = make();
  for (int t = 0; t < 50; ++t) {
    std::thread([&] { append(*pool, static_cast<std::uint64_t>(t)); }).join();
  }
  clock_.advance(2s);
  EXPECT_EQ(drain(*pool).size(), 50U);
  EXPECT_LT(pool->fill(), 0.1);
}

TEST_F(PoolTest, IdleThreadsGiveTheirChunksBack) {
  auto pool = make(1U << 20U);
  std::uint64_t next = 0;
  while (pool->fill() < 0.5) append(*pool, next++, Signal::traces, 1000);
  for (int turn = 0; turn < 12; ++turn) {
    clock_.advance(2s);
    drain(*pool);
  }
  EXPECT_EQ(pool->fill(), 0.0);
  append(*pool, next++);  // and go on afterwards
  clock_.advance(2s);
  EXPECT_EQ(drain(*pool).size(), 1U);
}

TEST_F(PoolTest, ManyThreadsAndADrainerLoseAndRepeatNothing) {
  auto pool = make(8U << 20U);
  constexpr std::uint64_t per_thread = 20'000;
  std::atomic<int> running{4};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < per_thread; ++i) {
        const auto record = record_of(t * per_thread + i);
        const Signal signal = i % 3 == 0 ? Signal::logs : i % 17 == 0 ? Signal::metrics : Signal::traces;
        while (pool->append(signal, context_, record, 1) == AppendStatus::no_room) std::this_thread::yield();
      }
      running.fetch_sub(1);
    });
  }
  std::vector<bool> seen(4 * per_thread);
  std::mt19937 random(7);
  std::vector<model::Claim> held;
  const auto settle_one = [&] {
    const std::size_t i = random() % held.size();
    for (const std::uint64_t number : numbers_in(held[i].chunk.payload)) {
      ASSERT_FALSE(seen[number]);
      seen[number] = true;
    }
    ASSERT_TRUE(pool->settle(ack(held[i])));
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(i));
  };
  while (running.load() != 0) {
    clock_.advance(std::chrono::milliseconds(random() % 300));
    if (auto next = claim(*pool)) held.push_back(std::move(*next));
    if (held.size() > 4) settle_one();
  }
  for (auto& thread : threads) thread.join();
  pool->seal_all();
  while (true) {
    if (auto next = claim(*pool)) held.push_back(std::move(*next));
    if (held.empty()) break;
    settle_one();
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), static_cast<std::ptrdiff_t>(seen.size()));
  EXPECT_TRUE(pool->empty());
  expect_law(*pool);
}

}  // namespace
}  // namespace arca::journal
