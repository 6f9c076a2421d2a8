#include "flow/circuit_breaker.hpp"

#include <gtest/gtest.h>

namespace arca::flow {
namespace {

using namespace std::chrono_literals;

// A breaker, a time that the test moves, and chance that always draws the longest wait.
class CircuitBreakerTest : public testing::Test {
 protected:
  void fail(int times) {
    for (int i = 0; i < times; ++i) breaker.record_failure(*breaker.try_acquire(now), now, std::nullopt);
  }
  base::Duration wait() const { return breaker.next_try_at() - now; }

  base::SteadyTime now{1h};
  double chance = 0.0;
  CircuitBreaker breaker{BreakerOptions{}, [this] { return chance; }};
};

TEST_F(CircuitBreakerTest, opens_after_three_failures_in_a_row) {
  fail(2);
  EXPECT_EQ(breaker.state(), BreakerState::closed);
  fail(1);
  EXPECT_EQ(breaker.state(), BreakerState::open);
  EXPECT_FALSE(breaker.try_acquire(now));
}

TEST_F(CircuitBreakerTest, a_success_between_failures_keeps_it_closed) {
  fail(2);
  breaker.record_success(*breaker.try_acquire(now));
  fail(2);
  EXPECT_EQ(breaker.state(), BreakerState::closed);
}

TEST_F(CircuitBreakerTest, half_open_lets_exactly_one_through) {
  fail(3);
  now = breaker.next_try_at();
  const auto permit = breaker.try_acquire(now);
  ASSERT_TRUE(permit);
  EXPECT_EQ(breaker.state(), BreakerState::half_open);
  EXPECT_FALSE(breaker.try_acquire(now));
  EXPECT_FALSE(breaker.try_acquire(now + 1h));
  breaker.record_success(*permit);
  EXPECT_EQ(breaker.state(), BreakerState::closed);
  EXPECT_TRUE(breaker.try_acquire(now));
}

TEST_F(CircuitBreakerTest, each_failed_try_waits_longer_up_to_the_maximum) {
  fail(3);
  EXPECT_EQ(wait(), 1s);
  now = breaker.next_try_at();
  fail(1);
  EXPECT_EQ(wait(), 1500ms);
  for (int i = 0; i < 50; ++i) {
    now = breaker.next_try_at();
    fail(1);
  }
  EXPECT_EQ(wait(), 5s);
}

TEST_F(CircuitBreakerTest, waits_are_jittered) {
  chance = 0.999;
  fail(3);
  EXPECT_GT(wait(), 490ms);
  EXPECT_LT(wait(), 510ms);
}

TEST_F(CircuitBreakerTest, starts_with_short_waits_again_after_a_success) {
  fail(3);
  now = breaker.next_try_at();
  fail(1);
  now = breaker.next_try_at();
  breaker.record_success(*breaker.try_acquire(now));
  fail(3);
  EXPECT_EQ(wait(), 1s);
}

TEST_F(CircuitBreakerTest, a_wait_named_by_the_server_opens_it_at_once) {
  breaker.record_failure(*breaker.try_acquire(now), now, 7s);
  EXPECT_EQ(breaker.state(), BreakerState::open);
  EXPECT_EQ(wait(), 7s);
}

TEST_F(CircuitBreakerTest, the_longer_of_both_waits_wins) {
  breaker.record_failure(*breaker.try_acquire(now), now, 1ms);
  EXPECT_EQ(wait(), 1s);
}

TEST_F(CircuitBreakerTest, answers_to_deliveries_from_before_the_opening_change_nothing) {
  const auto early = breaker.try_acquire(now);
  const auto early_too = breaker.try_acquire(now);
  fail(3);
  breaker.record_success(*early);
  EXPECT_EQ(breaker.state(), BreakerState::open);
  breaker.record_failure(*early_too, now, std::nullopt);
  EXPECT_EQ(wait(), 1s);
}

TEST_F(CircuitBreakerTest, a_late_answer_can_still_name_a_longer_wait) {
  const auto early = breaker.try_acquire(now);
  fail(3);
  breaker.record_failure(*early, now, 20s);
  EXPECT_EQ(wait(), 20s);
}

}  // namespace
}  // namespace arca::flow
