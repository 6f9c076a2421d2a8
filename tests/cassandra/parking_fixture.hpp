// A CassandraSink over a Cassandra in memory and a clock that stands still: what the tests of parking share.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "cassandra/cassandra_sink.hpp"
#include "fakes/fake_clock.hpp"
#include "fakes/fake_parking_store.hpp"
#include "fakes/fake_source.hpp"
#include "os/random.hpp"

namespace arca::tests {

inline constexpr model::WriterId this_writer{7};

// Acks in the order in which they came. Outlives the sink's last callback.
class Acks {
 public:
  [[nodiscard]] model::AckCallback taker() {
    return [shared = shared_](model::Ack ack) {
      const std::lock_guard lock(shared->mutex);
      shared->all.push_back(std::move(ack));
    };
  }
  [[nodiscard]] std::vector<model::Ack> all() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->all;
  }
  [[nodiscard]] std::size_t count(model::Verdict verdict) const {
    std::size_t count = 0;
    for (const model::Ack& ack : all()) count += ack.verdict == verdict ? 1 : 0;
    return count;
  }

 private:
  struct Shared {
    mutable std::mutex mutex;
    std::vector<model::Ack> all;
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

struct Parking {
  explicit Parking(cassandra::CassandraSinkOptions options_in = {}, std::uint64_t seed = 1)
      : random(seed), options(std::move(options_in)) {
    options.writer = this_writer;
    options.host = "host";
    sink = std::make_unique<cassandra::CassandraSink>(store, nullptr, clock, random, options);
  }

  void submit(std::uint64_t sequence, model::Signal signal = model::Signal::traces, std::size_t size = 100) {
    sink->submit(fakes::make_chunk(sequence, signal, 10, size, this_writer.value), acks.taker());
  }
  // The clock goes on in steps; the sink is tended after each.
  void pass(base::Duration time, base::Duration step = std::chrono::milliseconds(100)) {
    for (base::Duration passed{}; passed < time; passed += step) {
      clock.advance(step);
      sink->tend(clock.steady_now());
    }
  }
  // The process is stopped so long: its clock goes on, it does nothing.
  void freeze(base::Duration time) { clock.advance(time); }

  fakes::FakeClock clock;
  fakes::FakeParkingStore store{clock};
  os::SeededRandom random;
  cassandra::CassandraSinkOptions options;
  Acks acks;
  std::unique_ptr<cassandra::CassandraSink> sink;
};

}  // namespace arca::tests
