// What happens when there is no memory at one moment: the call fails, and nothing is stuck, lost or counted twice.
// Every allocation of each call fails once.
#include <filesystem>
#include <set>
#include <thread>

#include "journal/journal_fixture.hpp"
#include "journal/pool_fixture.hpp"
#include "support/failing_memory.hpp"

namespace arca::journal {
namespace {

using namespace std::chrono_literals;
using support::fails_at;

TEST_F(PoolTest, WithoutMemoryNoChunkIsStuckOrLost) {
  for (long n = 0;; ++n) {
    std::filesystem::remove(directory_ / "pool");
    auto pool = make();
    std::uint64_t number = 0;
    for (int thread = 0; thread < 3; ++thread) {
      std::thread([&] {
        for (int i = 0; i < 2; ++i) append(*pool, number++);
      }).join();
    }
    append(*pool, number++);
    append(*pool, number++, Signal::metrics);
    append(*pool, number++, Signal::logs);
    std::optional<model::Claim> got;
    const bool has_failed = fails_at(n, [&] { got = *pool->claim(model::SignalSet::all(), clock_.steady_now()); });
    std::multiset<std::uint64_t> seen;
    if (got) {
      for (const std::uint64_t each : numbers_in(got->chunk.payload)) seen.insert(each);
      ASSERT_TRUE(pool->settle(ack(*got)));
    }
    clock_.advance(2s);
    for (const std::uint64_t each : drain(*pool)) seen.insert(each);
    EXPECT_EQ(seen.size(), number) << "allocation " << n;
    EXPECT_EQ(std::set<std::uint64_t>(seen.begin(), seen.end()).size(), number) << "allocation " << n;
    EXPECT_TRUE(pool->empty()) << "allocation " << n;
    expect_law(*pool);
    if (!has_failed) break;
    ASSERT_LT(n, 1000);
  }
}

class JournalMemoryTest : public JournalFixture {};

TEST_F(JournalMemoryTest, WithoutMemoryNoClaimIsStuck) {
  for (long n = 0;; ++n) {
    const auto base = static_cast<std::uint64_t>(n) * 10;
    for (std::uint64_t i = 1; i <= 3; ++i) append(base + i);
    reopen();
    const bool has_failed =
        fails_at(n, [&] { static_cast<void>(journal().claim(model::SignalSet::all(), clock_.steady_now())); });
    if (!has_failed) break;
    clock_.advance(2s);
    ASSERT_THAT(contents(), ElementsAre(base + 1, base + 2, base + 3)) << "allocation " << n;
    for (std::uint64_t i = 1; i <= 3; ++i) settle(base + i);
    ASSERT_LT(n, 1000);
  }
}

TEST_F(JournalMemoryTest, WithoutMemoryASettlementIsThereOrItsChunkComesAgain) {
  for (long n = 0;; ++n) {
    const auto base = static_cast<std::uint64_t>(n) * 1000;
    for (std::uint64_t i = 1; i <= 100; ++i) append(base + i, 16);
    const bool has_failed = fails_at(n, [&] {
      for (std::uint64_t i = 2; i <= 90; ++i) static_cast<void>(try_settle(base + i));
    });
    reopen();
    const auto left = contents();
    EXPECT_GE(left.size(), 11U) << "allocation " << n;
    expect_law();
    for (const std::uint64_t sequence : left) settle(sequence);
    if (!has_failed) break;
    ASSERT_LT(n, 3000);
  }
}

}  // namespace
}  // namespace arca::journal
