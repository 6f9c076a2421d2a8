// What the tests of ParkedSource stand on: a Cassandra in memory, writers that park in it, a Collector, and recoverers
// (a source with its dispatcher) that live in the test's time and die when they are destroyed.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "cassandra/parked_source.hpp"
#include "fakes/fake_clock.hpp"
#include "fakes/fake_parking_store.hpp"
#include "fakes/fake_sink.hpp"
#include "fakes/fake_source.hpp"
#include "flow/dispatcher.hpp"

namespace arca::cassandra {

using namespace std::chrono_literals;
using fakes::FakeParkingStore;
using fakes::FakeSink;
using fakes::StoreCall;
using fakes::StoreFailure;
using model::ChunkId;
using model::Signal;
using model::Verdict;
using model::WriterId;

struct Recoverer {
  Recoverer(ParkingStore& store, model::Sink& sink, os::Clock& clock, os::Random& random, ParkedSourceOptions options,
            flow::DispatcherOptions dispatching, RowWriter* rows = nullptr)
      : source(store, rows, clock, random, std::move(options)),
        dispatcher(source, sink, clock, with(std::move(dispatching), bell)) {}
  static flow::DispatcherOptions with(flow::DispatcherOptions made, const std::shared_ptr<flow::Doorbell>& bell) {
    made.wake_up = bell;
    made.report = [](const Error&) {};
    return made;
  }

  base::SteadyTime step(base::SteadyTime now) {
    const base::SteadyTime wake = source.tend(now);
    return std::min(wake, dispatcher.step(now));
  }

  std::shared_ptr<flow::Doorbell> bell = std::make_shared<flow::Doorbell>();
  ParkedSource source;
  flow::Dispatcher dispatcher;
};

class ParkedSourceTest : public testing::Test {
 protected:
  ParkedSourceTest() { sink.answer_at_once(Verdict::delivered); }

  ParkedSourceOptions options() {
    ParkedSourceOptions made;
    made.progress_interval = 0s;
    made.report = [this](const Error& error) { reports.push_back(error.message()); };
    return made;
  }
  std::unique_ptr<Recoverer> recoverer(ParkedSourceOptions made, std::uint32_t in_flight_max = 4) {
    flow::DispatcherOptions dispatching;
    dispatching.in_flight_max = in_flight_max;
    return std::make_unique<Recoverer>(store, sink, clock, random, std::move(made), dispatching);
  }
  std::unique_ptr<Recoverer> recoverer() { return recoverer(options()); }

  // Lives through this span, each stepping as its thread would. Returns the number of steps.
  int live(const std::vector<Recoverer*>& all, base::Duration span) {
    const base::SteadyTime end = now() + span;
    int steps = 0;
    for (;;) {
      base::SteadyTime wake = base::never;
      for (Recoverer* each : all) {
        for (int turns = 0; turns < 10'000; ++turns) {
          const std::uint64_t seen = each->bell->count();
          const base::SteadyTime next = each->step(now());
          ++steps;
          if (next > now() && each->bell->count() == seen) {
            wake = std::min(wake, next);
            break;
          }
        }
      }
      if (steps > 1'000'000) {
        ADD_FAILURE() << "a busy loop";
        return steps;
      }
      if (wake > end) break;
      if (wake > now()) clock.advance(wake - now());
    }
    clock.advance(end - now());
    return steps;
  }
  int live(const std::unique_ptr<Recoverer>& one, base::Duration span) { return live({one.get()}, span); }

  // --- writers ---
  SegmentHead open(std::uint64_t writer, Purpose purpose = Purpose::overflow) {
    SegmentHead head;
    head.writer = WriterId{writer};
    head.opened_at = clock.wall_now();
    head.purpose = purpose;
    head.name = {bucket_of(head.opened_at), shard_of(head.writer), random_uuid(random)};
    store.open_segment(head, [](const StoreStatus&) {});
    return head;
  }
  static model::Chunk chunk_of(const SegmentHead& head, std::uint64_t sequence, Signal signal = Signal::traces,
                               std::size_t size = 100) {
    return fakes::make_chunk(sequence, signal, 10, size, head.writer.value);
  }
  void put(const SegmentHead& head, std::int32_t position, const model::Chunk& chunk) {
    StoredChunk stored = pack(chunk).value();
    stored.position = position;
    store.put_chunk(head.name, stored, std::int64_t{1} + position, [](const StoreStatus&) {});
    parked.insert(chunk.id);
  }
  // Chunks first to last at positions from 0 on.
  void put(const SegmentHead& head, std::uint64_t first, std::uint64_t last, Signal signal = Signal::traces) {
    std::int32_t position = 0;
    for (std::uint64_t i = first; i <= last; ++i) put(head, position++, chunk_of(head, i, signal));
  }
  // As its writer does: what is not there, or not in `parked`, does not count.
  void seal(const SegmentHead& head) {
    SegmentSummary summary;
    for (const StoredChunk& chunk : store.chunks(head.name.id)) {
      while (summary.chunk_count < chunk.position) summary.uncounted.push_back({summary.chunk_count++});
      summary.chunk_count = chunk.position + 1;
      if (!parked.contains(chunk.id)) {
        summary.uncounted.push_back({chunk.position, chunk.signal, chunk.item_count});
        continue;
      }
      summary.item_count[model::index_of(chunk.signal)] += chunk.item_count;
      summary.raw_bytes += chunk.raw_size;
      summary.stored_bytes += chunk.payload->size();
    }
    store.seal_segment(head.name, clock.wall_now(), summary, [](const StoreStatus&) {});
  }
  SegmentHead sealed(std::uint64_t writer, std::uint64_t first, std::uint64_t last, Signal signal = Signal::traces) {
    const SegmentHead head = open(writer);
    put(head, first, last, signal);
    seal(head);
    clock.advance(1ms);  // the next one is later
    return head;
  }

  // --- what became of it ---
  SegmentEntry entry_of(const SegmentHead& head) {
    for (const SegmentEntry& entry : store.segments()) {
      if (entry.head.name.id == head.name.id) return entry;
    }
    ADD_FAILURE() << "no such segment";
    return {};
  }
  bool is_replayed(const SegmentHead& head) { return entry_of(head).replayed_at.has_value(); }
  std::map<ChunkId, int> arrivals() {
    std::map<ChunkId, int> counts;
    for (const model::Chunk& chunk : sink.submitted()) ++counts[chunk.id];
    return counts;
  }
  std::size_t repeated_count() { return sink.submitted().size() - arrivals().size(); }
  bool everything_arrived() {
    const auto all = arrivals();
    return std::all_of(parked.begin(), parked.end(), [&](const ChunkId& id) { return all.contains(id); });
  }
  base::SteadyTime now() { return clock.steady_now(); }

  fakes::FakeClock clock;
  os::SeededRandom random{7};
  FakeParkingStore store{clock};
  FakeSink sink;
  std::set<ChunkId> parked;
  std::vector<std::string> reports;
};

}  // namespace arca::cassandra
