// The pool's laws: what was appended is claimed once, in chunks whose ids stay, and counted exactly.
#include "journal/pool.hpp"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>
#include <set>
#include <thread>

#include "base/varint.hpp"
#include "fakes/fake_clock.hpp"
#include "support/temporary_directory.hpp"

namespace arca::journal {
namespace {

using model::Signal;
using namespace std::chrono_literals;

// A record of the grammar whose body is the number, then filling.
std::vector<std::byte> record_of(std::uint64_t number, std::size_t filling = 40) {
  const std::size_t body = sizeof number + filling;
  std::vector<std::byte> bytes(1 + base::varint_size(body));
  bytes[0] = model::record_tag;
  base::write_varint(bytes.data() + 1, body);
  const auto* at = reinterpret_cast<const std::byte*>(&number);
  bytes.insert(bytes.end(), at, at + sizeof number);
  bytes.resize(bytes.size() + filling, std::byte{0x5A});
  return bytes;
}

// Takes a length-delimited field off the front.
base::Bytes take_field(base::Bytes& rest, std::byte tag) {
  EXPECT_EQ(rest.front(), tag);
  rest = rest.subspan(1);
  const auto length = base::read_varint(rest);
  EXPECT_TRUE(length && *length <= rest.size());
  const base::Bytes body = rest.first(*length);
  rest = rest.subspan(*length);
  return body;
}

constexpr std::string_view resource_bytes = "\x0A\x02RR";
constexpr std::string_view scope_bytes = "\x0A\x02SS";

// The numbers in a request, in order. Checks the framing on the way.
std::vector<std::uint64_t> numbers_in(const model::Payload& payload) {
  const std::vector<std::byte> flat = payload.flatten();
  std::vector<std::uint64_t> numbers;
  base::Bytes request = flat;
  while (!request.empty()) {
    base::Bytes resource = take_field(request, std::byte{0x0A});
    resource = resource.subspan(resource_bytes.size());
    while (!resource.empty()) {
      base::Bytes scope = take_field(resource, std::byte{0x12});
      scope = scope.subspan(scope_bytes.size());
      while (!scope.empty()) numbers.push_back(base::load<std::uint64_t>(take_field(scope, model::record_tag).data()));
    }
  }
  return numbers;
}

class PoolTest : public ::testing::Test {
 protected:
  std::unique_ptr<Pool> make(std::uint64_t size = 4U << 20U, model::WriterId writer = {77}) {
    PoolOptions options;
    options.writer = writer;
    options.path = directory_ / "pool";
    options.size_max = size;
    options.size_initial = size;
    auto pool = Pool::create(options, clock_);
    EXPECT_TRUE(pool) << pool.error().message();
    context_ = *(*pool)->intern({base::as_bytes(resource_bytes), base::as_bytes(scope_bytes)});
    return std::move(*pool);
  }
  std::unique_ptr<Pool> adopt() {
    auto pool = Pool::adopt(directory_ / "pool", clock_);
    EXPECT_TRUE(pool) << pool.error().message();
    return std::move(*pool);
  }
  void append(Pool& pool, std::uint64_t number, Signal signal = Signal::traces, std::size_t filling = 40) {
    ASSERT_EQ(pool.append(signal, context_, record_of(number, filling), 1), AppendStatus::accepted);
  }
  std::optional<model::Claim> claim(Pool& pool, model::SignalSet signals = model::SignalSet::all()) {
    auto claim = pool.claim(signals, clock_.steady_now());
    EXPECT_TRUE(claim) << claim.error().message();
    return *claim;
  }
  static model::Ack ack(const model::Claim& claim, model::Verdict verdict = model::Verdict::delivered) {
    model::Ack ack;
    ack.chunk_id = claim.chunk.id;
    ack.verdict = verdict;
    return ack;
  }
  std::vector<std::uint64_t> drain(Pool& pool) {
    std::vector<std::uint64_t> numbers;
    while (const auto next = claim(pool)) {
      const auto found = numbers_in(next->chunk.payload);
      EXPECT_EQ(found.size(), next->chunk.item_count);
      numbers.insert(numbers.end(), found.begin(), found.end());
      EXPECT_TRUE(pool.settle(ack(*next)));
    }
    return numbers;
  }
  static void expect_law(const Pool& pool) {
    const auto totals = pool.totals();
    const auto memory = pool.in_memory();
    for (std::size_t i = 0; i < model::signal_count; ++i) {
      const auto& t = totals[i];
      EXPECT_EQ(t.accepted, t.delivered + t.parked + t.journaled + t.quarantined + t.lost + memory[i]) << "signal " << i;
    }
  }

  support::TemporaryDirectory directory_;
  fakes::FakeClock clock_;
  model::ContextId context_ = 0;
};

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

TEST_F(PoolTest, APayloadKeepsItsChunkFromBeingUsedAgain) {
  auto pool = make(1U << 20U);
  append(*pool, 1);
  const auto held = claim(*pool);
  const auto before = held->chunk.payload.flatten();
  ASSERT_TRUE(pool->settle(ack(*held)));
  std::uint64_t i = 0;
  while (pool->append(Signal::traces, context_, record_of(++i, 1000), 1) == AppendStatus::accepted) {}
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

TEST_F(PoolTest, AnAdoptedPoolGivesSealedChunksTheirOldIdsAndTheRestNewOnes) {
  auto pool = make();
  append(*pool, 1);
  const auto sealed = claim(*pool);
  append(*pool, 2);
  pool->close();
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
            while (pool->append(Signal::traces, context_, record_of(t << 32U | i), 1) != AppendStatus::accepted) {}
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
