// ARCA_WHEN_FULL=block, from the caller to the Collector: who records waits while every tier is full, goes on when
// there is room again, and is refused, and counted, only when his time is over.
#include <gtest/gtest.h>

#include <thread>

#include "arca/telemetry.hpp"
#include "fake_collector.hpp"
#include "opentelemetry/trace/provider.h"
#include "support/temporary_directory.hpp"
#include "support/wait.hpp"
#include "telemetry/runtime.hpp"

namespace arca::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

class BlockPolicyTest : public ::testing::Test {
 protected:
  std::unique_ptr<Telemetry> start(const std::string& url, milliseconds block_timeout) {
    Config config;
    config.state_directory = directory_.path();
    config.pool_directory = directory_.path();
    config.pool_size = config.journal_size = 1U << 20U;
    config.when_full = "block";
    config.block_timeout = block_timeout;
    config.otlp.protocol = "http/protobuf";
    config.otlp.endpoint = url;
    config.install_global = config.self_metrics = false;
    auto started = Telemetry::start(config);
    EXPECT_TRUE(started) << started.error().message();
    return started ? std::move(*started) : nullptr;
  }
  static void record(Telemetry& telemetry) {
    static const std::string kilobyte(1024, 'x');
    telemetry.tracer_provider()->GetTracer("scope")->StartSpan("span", {{"text", kilobyte}})->End();
  }

  support::TemporaryDirectory directory_;
};

TEST_F(BlockPolicyTest, WhereNothingMovesTheCallerWaitsItsTimeAndIsRefused) {
  auto telemetry = start("http://127.0.0.1:9", milliseconds(20));
  std::uint64_t count = 0;
  Clock::duration last{};
  while (count < 20'000 && telemetry->status().traces.refused == 0) {
    const auto begin = Clock::now();
    record(*telemetry);
    last = Clock::now() - begin;
    ++count;
  }
  const Status status = telemetry->status();
  EXPECT_EQ(status.traces.refused, 1U);
  EXPECT_GE(last, milliseconds(19));
  EXPECT_EQ(status.traces.accepted, count);
  EXPECT_TRUE(status.holds());
}

TEST_F(BlockPolicyTest, WhenTheCollectorIsBackTheCallerGoesOnAndNothingIsRefused) {
  constexpr std::uint64_t count = 6000;  // three times what pool and journal hold
  FakeCollector collector;
  collector.answer_with(503);
  auto telemetry = start(collector.url(), seconds(60));
  std::atomic<std::uint64_t> recorded{0};
  std::thread caller([&] {
    for (std::uint64_t i = 0; i < count; ++i, ++recorded) record(*telemetry);
  });
  ASSERT_TRUE(support::wait_until([&] { return telemetry->runtime().core()->recorder.waiting_count() == 1; }));
  EXPECT_LT(recorded, count);
  collector.answer_with(200);
  caller.join();
  EXPECT_EQ(telemetry->force_flush(seconds(60)).outcome, FlushOutcome::delivered);
  const Status status = telemetry->status();
  EXPECT_EQ(status.traces.refused, 0U);
  EXPECT_EQ(status.traces.delivered, count);
  EXPECT_TRUE(status.holds());
}

}  // namespace
}  // namespace arca::test
