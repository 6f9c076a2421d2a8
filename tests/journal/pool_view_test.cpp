// A pool seen from outside says the same as its owner, while it lives and after it has died.
#include "journal/pool_view.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "base/varint.hpp"
#include "fakes/fake_clock.hpp"
#include "journal/pool.hpp"
#include "support/temporary_directory.hpp"

namespace arca::journal {
namespace {

constexpr std::string_view record{
    "\x12\x04"
    "abcd",
    6};

class PoolViewTest : public ::testing::Test {
 protected:
  void SetUp() override {
    PoolOptions options;
    options.writer = {0xABCD};
    options.path = directory_ / "pool";
    options.size_max = options.size_initial = 2U << 20U;
    pool_ = std::move(*Pool::create(options, clock_));
    context_ = *pool_->intern({base::as_bytes("\x0A\x01R"), base::as_bytes("\x0A\x01S")});
  }
  void append(model::Signal signal) {
    ASSERT_EQ(pool_->append(signal, context_, base::as_bytes(record), 1), AppendStatus::accepted);
  }
  PoolInfo look() {
    auto view = PoolView::open(pool_->path());
    EXPECT_TRUE(view) << view.error().message();
    auto info = view->read();
    EXPECT_TRUE(info) << info.error().message();
    return *info;
  }
  support::TemporaryDirectory directory_;
  fakes::FakeClock clock_;
  std::unique_ptr<Pool> pool_;
  model::ContextId context_ = 0;
};

TEST_F(PoolViewTest, CountsAgreeWithTheOwners) {
  for (int i = 0; i < 10; ++i) append(model::Signal::traces);
  for (int i = 0; i < 3; ++i) append(model::Signal::logs);
  auto claim = pool_->claim(model::SignalSet::only(model::Signal::traces), clock_.steady_now());
  model::Ack ack;
  ack.chunk_id = (*claim)->chunk.id;
  ack.verdict = model::Verdict::delivered;
  ASSERT_TRUE(pool_->settle(ack));
  append(model::Signal::traces);
  pool_->count_refused(model::Signal::logs, 7);

  const PoolInfo info = look();
  EXPECT_TRUE(info.consistent);
  EXPECT_EQ(info.writer, 0xABCDU);
  EXPECT_EQ(info.totals[0].accepted, 11U);
  EXPECT_EQ(info.totals[0].delivered, 10U);
  EXPECT_EQ(info.in_memory[0], 1U);
  EXPECT_EQ(info.totals[2].accepted, 3U);
  EXPECT_EQ(info.in_memory[2], 3U);
  EXPECT_EQ(info.totals[2].refused, 7U);
  EXPECT_EQ(info.in_memory, pool_->in_memory());
  EXPECT_TRUE(info.damage.empty());
}

TEST_F(PoolViewTest, RecordsAndContextsCanBeRead) {
  append(model::Signal::traces);
  auto view = PoolView::open(pool_->path());
  const PoolInfo info = *view->read();
  ASSERT_EQ(info.chunks.size(), 1U);
  const auto bytes = view->chunk_bytes(info.chunks[0]);
  const auto walk = model::walk_records(bytes, model::no_context);
  ASSERT_EQ(walk.runs.size(), 1U);
  EXPECT_EQ(base::as_text(walk.runs[0].records), record);
  const auto contexts = view->contexts();
  ASSERT_EQ(contexts.size(), 1U);
  EXPECT_EQ(base::as_text(contexts[0].scope_fields), "\x0A\x01S");
}

TEST_F(PoolViewTest, TheProcessesOwnWordsAreShown) {
  EXPECT_TRUE(pool_->publish_status(R"({"breaker":"open"})"));
  EXPECT_FALSE(pool_->publish_status(std::string(5000, 'x')));
  EXPECT_EQ(look().status_json, R"({"breaker":"open"})");
}

TEST(PoolSize, AFileSizeLimitOfTheProcessIsAnErrorAndNotASignal) {
  struct rlimit before {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  struct rlimit limit = before;
  limit.rlim_cur = 1U << 20U;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  support::TemporaryDirectory directory;
  fakes::FakeClock clock;
  PoolOptions options;
  options.writer = {1};
  options.path = directory / "pool";
  const auto pool = Pool::create(options, clock);
  setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(pool);
  EXPECT_EQ(pool.error().code(), ErrorCode::full);
}

// Its writer publishes under a sequence lock: a text that changed while it was read is none.
TEST_F(PoolViewTest, TheStatusOfALiveProcessIsNeverMadeOfTwo) {
  std::atomic<bool> stopping{false};
  std::thread process([&] {
    const std::string first(3'000, 'a');
    const std::string second(3'000, 'b');
    while (!stopping) EXPECT_TRUE(pool_->publish_status(first) && pool_->publish_status(second));
  });
  for (int i = 0; i < 3'000; ++i) {
    const std::string text = look().status_json;
    EXPECT_EQ(text.find_first_not_of(text.empty() ? '?' : text.front()), std::string::npos);
  }
  stopping = true;
  process.join();
}

}  // namespace
}  // namespace arca::journal
