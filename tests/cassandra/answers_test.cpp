// Many questions at once: how long they take together is nobody's fault, as long as answers come.
#include "cassandra/answers.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "fakes/fake_clock.hpp"

namespace arca::cassandra {
namespace {

using namespace std::chrono_literals;

TEST(Answers, time_is_up_only_when_no_answer_comes) {
  fakes::FakeClock clock;
  std::vector<std::size_t> answered;
  const auto ask = [](std::size_t number, std::function<void(int)> done) { done(static_cast<int>(number)); };
  const auto take = [&](std::size_t number, int&) -> Result<Next> {
    answered.push_back(number);
    clock.advance(7s);
    return Next::go_on;
  };
  EXPECT_TRUE(ask_all<int>(3, 1, clock, 10s, ask, take));
  EXPECT_EQ(answered, (std::vector<std::size_t>{0, 1, 2}));
}

TEST(Answers, what_is_never_sent_is_given_up) {
  fakes::FakeClock clock;
  const auto ask = [](std::size_t, std::function<void(int)> done) { done(0); };
  const auto take = [&](std::size_t, int&) -> Result<Next> {
    clock.advance(1s);
    return Next::again_later;
  };
  const auto done = ask_all<int>(1, 1, clock, 10s, ask, take);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::timeout);
}

}  // namespace
}  // namespace arca::cassandra
