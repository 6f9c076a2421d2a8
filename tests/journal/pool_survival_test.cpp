// The pool's laws when its process ends: what a dead, forked or killed writer had accepted is adopted; damage is an
// answer.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <random>
#include <set>
#include <thread>

#include "base/crash_point.hpp"
#include "journal/pool_fixture.hpp"

namespace arca::journal {
namespace {

using namespace std::chrono_literals;

TEST_F(PoolTest, AnAdoptedPoolGivesSealedChunksTheirOldIdsAndTheRestNewOnes) {
  auto pool = make();
  append(*pool, 1);
  const auto sealed = claim(*pool);
  append(*pool, 2);
  EXPECT_EQ(Pool::adopt(directory_ / "pool", clock_).error().code(), ErrorCode::busy);
  pool.reset();  // although somebody still reads a payload
  auto adopted = adopt();
  EXPECT_EQ(adopted->writer(), model::WriterId{77});
  const auto first = claim(*adopted);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->chunk.id, sealed->chunk.id);
  EXPECT_EQ(first->chunk.payload.flatten(), sealed->chunk.payload.flatten());
  const auto second = claim(*adopted);
  ASSERT_TRUE(second);
  EXPECT_GT(second->chunk.id.sequence, first->chunk.id.sequence);
  EXPECT_EQ(numbers_in(second->chunk.payload), std::vector<std::uint64_t>{2});
  expect_law(*adopted);
  ASSERT_TRUE(adopted->settle(ack(*first)));
  adopted.reset();
  auto again = adopt();  // died in the middle of recovery
  const auto left = claim(*again);
  ASSERT_TRUE(left);
  EXPECT_EQ(left->chunk.id, second->chunk.id);
  EXPECT_FALSE(claim(*again));
  EXPECT_EQ(again->totals()[0].delivered, 1U);
  EXPECT_EQ(again->append(Signal::traces, 1, record_of(1), 1), AppendStatus::closed);
}

TEST_F(PoolTest, EveryDamagedByteOfAPoolLeavesAnAnswerAndNoCrash) {
  {
    auto pool = make(1U << 20U);
    for (std::uint64_t i = 0; i < 20; ++i) append(*pool, i);
    static_cast<void>(claim(*pool));
    append(*pool, 20);
    pool->close();
  }
  std::FILE* file = std::fopen((directory_ / "pool").c_str(), "r+b");
  ASSERT_NE(file, nullptr);
  std::fseek(file, 0, SEEK_END);
  const auto size = static_cast<std::size_t>(std::ftell(file));
  std::vector<unsigned char> image(size);
  std::rewind(file);
  ASSERT_EQ(std::fread(image.data(), 1, size, file), size);
  std::fclose(file);
  std::mt19937 random(3);
  for (int turn = 0; turn < 3000; ++turn) {
    // Mostly the header, contexts' begin and table; the rest at random.
    const std::size_t at = turn < 1000 ? static_cast<std::size_t>(turn) % 1024 : random() % size;
    const auto changed = static_cast<unsigned char>(image[at] ^ (1U << (random() % 8)));
    const int descriptor = ::open((directory_ / "pool").c_str(), O_RDWR);
    ASSERT_EQ(pwrite(descriptor, image.data(), size, 0), static_cast<ssize_t>(size));
    ASSERT_EQ(pwrite(descriptor, &changed, 1, static_cast<off_t>(at)), 1);
    ::close(descriptor);
    auto pool = Pool::adopt(directory_ / "pool", clock_);
    if (!pool) continue;
    for (int i = 0; i < 10; ++i) {
      auto next = (*pool)->claim(model::SignalSet::all(), clock_.steady_now());
      if (!next || !*next) break;
      static_cast<void>((*next)->chunk.payload.flatten());
    }
  }
}

// The range that was counted last need not lie in the first chunk that recovery looks at.
TEST_F(PoolTest, AVerdictThatWasCountedBeforeTheDeathIsNotCountedAgain) {
  const pid_t child = fork();
  if (child == 0) {
    auto pool = make();
    std::thread([&] {
      append(*pool, 1);                               // chunk 0
      std::thread([&] { append(*pool, 2); }).join();  // chunk 1, given up first
    }).join();
    base::crash_hook = +[](const char* point) noexcept {
      if (std::string_view(point) == "pool.verdict.counted") _exit(0);
    };
    const auto both = claim(*pool);
    if (!both || both->chunk.item_count != 2) _exit(1);
    static_cast<void>(pool->settle(ack(*both)));
    _exit(2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  auto pool = adopt();
  expect_law(*pool);
  EXPECT_EQ(pool->totals()[0].delivered, 2U);
}

TEST_F(PoolTest, AFileThatWasCutIsRefusedWithoutTouchingIt) {
  make()->close();
  ASSERT_EQ(truncate((directory_ / "pool").c_str(), 100'000), 0);
  const auto pool = Pool::adopt(directory_ / "pool", clock_);
  ASSERT_FALSE(pool);
  EXPECT_EQ(pool.error().code(), ErrorCode::corrupt);
}

TEST_F(PoolTest, AForkedChildCannotTouchTheParentsPool) {
  auto pool = make();
  append(*pool, 1);
  const pid_t child = fork();
  if (child == 0) {
    const bool closed = pool->append(Signal::traces, context_, record_of(2), 1) == AppendStatus::closed;
    pool.reset();  // must be harmless
    _exit(closed ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  append(*pool, 3);
  clock_.advance(2s);
  EXPECT_EQ(drain(*pool), (std::vector<std::uint64_t>{1, 3}));
}

// A writer appends from three threads and is killed at a random moment; while it lives its chunks are claimed and
// settled. Everything it counted as accepted is either settled or adopted, exactly once.
TEST_F(PoolTest, WhatAKilledWriterHadAcceptedIsAdopted) {
  std::mt19937 random(std::random_device{}());
  for (int trial = 0; trial < 20; ++trial) {
    unlink((directory_ / "pool").c_str());
    struct Shared {
      std::atomic<std::uint64_t> accepted[3];
      std::atomic<std::uint64_t> settled_count;
    };
    void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    auto* shared = new (memory) Shared{};
    const pid_t child = fork();
    if (child == 0) {
      auto pool = make(4U << 20U);
      std::vector<std::thread> threads;
      for (std::uint64_t t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] {
          for (std::uint64_t i = 0;; ++i) {
            while (pool->append(Signal::traces, context_, record_of(t << 32U | i), 1) != AppendStatus::accepted) {
            }
            shared->accepted[t].store(i + 1, std::memory_order_release);
          }
        });
      }
      for (;;) {
        clock_.advance(100ms);
        if (const auto next = claim(*pool)) {
          static_cast<void>(pool->settle(ack(*next)));
          shared->settled_count.store(pool->totals()[0].delivered);
        }
      }
    }
    usleep(static_cast<useconds_t>(2000 + random() % 30'000));
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    auto pool = Pool::adopt(directory_ / "pool", clock_);
    if (!pool) continue;  // killed before the pool stood
    expect_law(**pool);
    const std::uint64_t delivered_before = (*pool)->totals()[0].delivered;
    const auto left = drain(**pool);
    std::array<std::set<std::uint64_t>, 3> per_thread;
    for (const std::uint64_t number : left) EXPECT_TRUE(per_thread[number >> 32U].insert(number & 0xFFFFFFFFU).second);
    std::uint64_t accepted = 0;
    for (std::uint64_t t = 0; t < 3; ++t) {
      const std::uint64_t counted = shared->accepted[t].load();
      accepted += counted;
      // A thread's records are claimed in order: what is left is a gapless tail that reaches the last accepted one.
      if (!per_thread[t].empty()) {
        EXPECT_GE(*per_thread[t].rbegin() + 1, counted);
        EXPECT_LE(*per_thread[t].rbegin() + 1, counted + 1);
      }
    }
    EXPECT_GE(delivered_before + left.size(), accepted);
    EXPECT_LE(delivered_before + left.size(), accepted + 3);  // committed, but killed before it was counted
    expect_law(**pool);
    munmap(memory, sizeof(Shared));
  }
}

}  // namespace
}  // namespace arca::journal
