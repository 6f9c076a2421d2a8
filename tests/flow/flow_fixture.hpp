// What most tests of flow stand on: a clock that the test moves, a source, a sink, and a dispatcher that is stepped as
// its thread would step it, but in the test's time.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "fakes/fake_clock.hpp"
#include "fakes/fake_sink.hpp"
#include "fakes/fake_source.hpp"
#include "flow/dispatcher.hpp"

namespace arca::flow {

using namespace std::chrono_literals;
using fakes::FakeSink;
using fakes::make_chunk;
using model::Signal;
using model::Verdict;

class FlowFixture : public testing::Test {
 protected:
  // Steps until nothing is left to do at this moment; fails if that never comes (a busy loop).
  base::SteadyTime settle_down(Dispatcher& dispatcher) {
    for (int turns = 0; turns < 1000; ++turns) {
      const base::SteadyTime wake = dispatcher.step(now());
      if (wake > now()) return wake;
    }
    ADD_FAILURE() << "the dispatcher does not come to rest";
    return base::never;
  }
  // Lives through this span of time, stepping whenever the dispatcher asked for it. Returns the number of wake-ups.
  int live(Dispatcher& dispatcher, base::Duration span) {
    const base::SteadyTime end = now() + span;
    int wake_count = 0;
    for (base::SteadyTime wake = settle_down(dispatcher); wake <= end; wake = settle_down(dispatcher)) {
      clock.advance(wake - now());
      ++wake_count;
    }
    clock.advance(end - now());
    return wake_count;
  }
  base::SteadyTime now() { return clock.steady_now(); }

  DispatcherOptions options() {
    DispatcherOptions made;
    made.random = [this] { return chance; };
    made.report = [this](const Error& error) { reports.push_back(error); };
    return made;
  }

  double chance = 0.0;  // draws the longest waits
  std::vector<Error> reports;
  fakes::FakeClock clock;
  fakes::FakeSource source;
};

}  // namespace arca::flow
