// What the tests of recovery stand on: dead writers in memory, a sink, and a recovery that lives in the test's time.
#pragma once

#include <map>
#include <memory>
#include <utility>

#include "fakes/fake_writers.hpp"
#include "flow/flow_fixture.hpp"
#include "flow/recovery.hpp"

namespace arca::flow {

using model::ChunkId;
using model::WriterId;

class RecoveryTest : public FlowFixture {
 protected:
  RecoveryTest() { sink.answer_at_once(Verdict::delivered); }

  RecoveryOptions recovery_options() {
    RecoveryOptions made;
    made.random = [this] { return chance; };
    made.report = [this](const Error& error) { reports.push_back(error); };
    return made;
  }
  std::unique_ptr<Recovery> make(RecoveryOptions made) {
    return std::make_unique<Recovery>(writers, &source, sink, clock, std::move(made));
  }
  std::unique_ptr<Recovery> make() { return make(recovery_options()); }

  // Lives through this span, stepping as the thread would; returns the number of steps.
  int live(Recovery& recovery, base::Duration span) {
    const base::SteadyTime end = now() + span;
    int steps = 0;
    for (;;) {
      const base::SteadyTime wake = recovery.step(now());
      if (++steps > 1'000'000) ADD_FAILURE() << "a busy loop";
      if (wake > end || steps > 1'000'000) break;
      if (wake > now()) clock.advance(wake - now());
    }
    clock.advance(end - now());
    return steps;
  }
  void put(fakes::FakeSource& into, std::uint64_t writer, std::uint64_t first, std::uint64_t last,
           Signal signal = Signal::traces) {
    for (std::uint64_t i = first; i <= last; ++i) into.put(make_chunk(i, signal, 10, 100, writer));
  }
  std::map<ChunkId, int> arrivals() {
    std::map<ChunkId, int> counts;
    for (const model::Chunk& chunk : sink.submitted()) ++counts[chunk.id];
    return counts;
  }

  FakeSink sink;
  fakes::FakeWriters writers;
};

}  // namespace arca::flow
