// How the sink's misbehaviour is said: one line each, checked strictly.
#include "cli/sink/behaviour.hpp"

#include <gtest/gtest.h>

namespace arca::cli::sink {
namespace {

using namespace std::chrono_literals;

TEST(BehaviourTest, OneLineSaysWordArgumentAndKeys) {
  const auto behaviour =
      parse_behaviour("status 503 ratio=0.5 retry-after=\"Wed, 21 Oct 2026 07:28:00 GMT\" signal=logs count=3");
  ASSERT_TRUE(behaviour) << behaviour.error().message();
  EXPECT_EQ(behaviour->mode, Mode::status);
  EXPECT_EQ(behaviour->code, 503);
  EXPECT_EQ(behaviour->ratio, 0.5);
  EXPECT_EQ(behaviour->retry_after, "Wed, 21 Oct 2026 07:28:00 GMT");
  EXPECT_EQ(behaviour->signal, model::Signal::logs);
  EXPECT_EQ(behaviour->count, 3U);
}

TEST(BehaviourTest, NameOfAGrpcCodeIsABehaviour) {
  const auto behaviour = parse_behaviour("RESOURCE_EXHAUSTED retry-info=1500ms");
  ASSERT_TRUE(behaviour);
  EXPECT_EQ(behaviour->mode, Mode::grpc);
  EXPECT_EQ(behaviour->code, 8);
  EXPECT_EQ(behaviour->retry_info, 1500ms);
}

TEST(BehaviourTest, PartialSuccessTakesTheRestAsItsMessage) {
  const auto behaviour = parse_behaviour("partial 7 too old to keep");
  ASSERT_TRUE(behaviour);
  EXPECT_EQ(behaviour->amount, 7U);
  EXPECT_EQ(behaviour->message, "too old to keep");
}

TEST(BehaviourTest, WhatMakesNoSenseIsRefusedByName) {
  for (const char* text : {"", "dance", "delay", "delay soon", "status 99", "grpc 17", "partial x", "ok 5", "big 5GiB",
                           "stall ratio=2", "stall colour=red", "stall signal=smoke", "stall count=-1"}) {
    const auto behaviour = parse_behaviour(text);
    ASSERT_FALSE(behaviour) << text;
    EXPECT_EQ(behaviour.error().code(), ErrorCode::invalid_config);
    EXPECT_NE(behaviour.error().message().find("allowed"), std::string::npos) << behaviour.error().message();
  }
}

TEST(BehaviourTest, ScheduleHasStepsAndAPeriod) {
  const auto schedule = parse_schedule("0s ok; 10s refuse ; 20s delay 1s;30s repeat");
  ASSERT_TRUE(schedule) << schedule.error().message();
  ASSERT_EQ(schedule->steps.size(), 3U);
  EXPECT_EQ(schedule->steps[1].from, 10s);
  EXPECT_EQ(schedule->steps[1].behaviour.mode, Mode::refuse);
  EXPECT_EQ(schedule->steps[2].behaviour.delay, 1s);
  EXPECT_EQ(schedule->period, 30s);
}

TEST(BehaviourTest, ScheduleMustBeginAtZeroAndRise) {
  for (const char* text : {"1s ok", "0s ok; 0s stall", "0s ok; 5s", "repeat", "0s repeat", "0s ok; 5s repeat; 6s ok"}) {
    EXPECT_FALSE(parse_schedule(text)) << text;
  }
  EXPECT_TRUE(parse_schedule(""));
}

TEST(BehaviourTest, CountRunsDownOverAllSignalsTogether) {
  Behaviours behaviours(1);
  behaviours.set(*parse_behaviour("unavailable count=3"));
  EXPECT_EQ(behaviours.next(model::Signal::traces).mode, Mode::grpc);
  EXPECT_EQ(behaviours.next(model::Signal::logs).mode, Mode::grpc);
  EXPECT_EQ(behaviours.next(model::Signal::metrics).mode, Mode::grpc);
  EXPECT_EQ(behaviours.next(model::Signal::traces).mode, Mode::ok);
}

TEST(BehaviourTest, RatioHitsItsShare) {
  Behaviours behaviours(1);
  behaviours.set(*parse_behaviour("unavailable ratio=0.7"));
  int hit_count = 0;
  for (int i = 0; i < 10'000; ++i) hit_count += behaviours.next(model::Signal::traces).mode == Mode::grpc ? 1 : 0;
  EXPECT_NEAR(hit_count, 7000, 200);
}

TEST(BehaviourTest, OneSignalMayMisbehaveAlone) {
  Behaviours behaviours(1);
  behaviours.set(*parse_behaviour("stall signal=metrics"));
  EXPECT_EQ(behaviours.next(model::Signal::metrics).mode, Mode::stall);
  EXPECT_EQ(behaviours.next(model::Signal::traces).mode, Mode::ok);
  EXPECT_FALSE(behaviours.refusing());
}

}  // namespace
}  // namespace arca::cli::sink
