// The lock excludes, whoever owns it and however often it changes hands.
#include "base/biased_lock.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace arca::base {
namespace {

class BiasedLockTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam())
      enable_biased_locks();
    else
      detail::biased_locks_enabled = false;
  }
  void TearDown() override { detail::biased_locks_enabled = false; }
};

INSTANTIATE_TEST_SUITE_P(WithAndWithoutMembarrier, BiasedLockTest, ::testing::Bool());

TEST_P(BiasedLockTest, OwnerAndStrangersNeverMeetInside) {
  for (int round = 0; round < 20; ++round) {
    BiasedLock lock;
    int inside = 0;  // not atomic: only the lock protects it
    int count = 0;
    const auto work = [&](int turns) {
      for (int i = 0; i < turns; ++i) {
        lock.lock();
        EXPECT_EQ(++inside, 1);
        ++count;
        --inside;
        lock.unlock();
      }
    };
    std::vector<std::thread> strangers;
    for (int t = 0; t < 3; ++t) strangers.emplace_back(work, 500);
    work(5000);
    for (auto& stranger : strangers) stranger.join();
    EXPECT_EQ(count, 6500);
  }
}

TEST_P(BiasedLockTest, TheOwnersShortWayExcludesStrangersAndEndsWithTheFirst) {
  for (int round = 0; round < 20; ++round) {
    BiasedLock lock;
    int inside = 0;  // not atomic: only the lock protects it
    int count = 0;
    const auto once = [&] {
      EXPECT_EQ(++inside, 1);
      ++count;
      --inside;
    };
    std::thread stranger([&] {
      for (int i = 0; i < 500; ++i) {
        const BiasedGuard guard(lock);
        once();
      }
    });
    for (int i = 0; i < 5000; ++i) {
      if (const OwnerGuard guard(lock); guard) {
        once();
        continue;
      }
      const BiasedGuard guard(lock);
      once();
    }
    stranger.join();
    EXPECT_EQ(count, 5500);
    EXPECT_FALSE(OwnerGuard(lock));
  }
}

TEST_P(BiasedLockTest, ANewOwnerMayBeNamedWhenNobodyHoldsIt) {
  BiasedLock lock;
  int count = 0;
  for (int t = 0; t < 5; ++t) {
    std::thread([&] {
      lock.reset(this_thread_key());
      for (int i = 0; i < 100; ++i) {
        lock.lock();
        ++count;
        lock.unlock();
      }
    }).join();
  }
  EXPECT_EQ(count, 500);
}

TEST_P(BiasedLockTest, WithoutAnOwnerEverybodyTakesTheSharedWay) {
  BiasedLock lock;
  lock.reset(0);
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        lock.lock();
        ++count;
        lock.unlock();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count, 8000);
}

TEST(ThreadKey, IsNeverZeroAndDiffersBetweenThreads) {
  const std::uint64_t mine = this_thread_key();
  std::uint64_t other = 0;
  std::thread([&] { other = this_thread_key(); }).join();
  EXPECT_NE(mine, 0U);
  EXPECT_NE(other, 0U);
  EXPECT_NE(mine, other);
  EXPECT_EQ(mine, this_thread_key());
}

}  // namespace
}  // namespace arca::base
