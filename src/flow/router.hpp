// Router: a Sink of sinks. The Collector comes first; behind it stand overflow tiers, where chunks are parked when
// the Collector cannot take them. The live Dispatcher sends through it and knows nothing of breakers or tiers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "flow/guarded_sink.hpp"
#include "model/sink.hpp"

namespace arca::flow {

enum class ParkWhen : std::uint8_t {
  outage,    // as soon as the Collector's breaker for the signal is not closed, and under pressure
  pressure,  // only while the pressure is at or above the mark that holds now
};

// One overflow tier. The sink outlives the router; the callbacks are thread-safe and must not call the router.
struct OverflowTier {
  GuardedSink* sink = nullptr;
  ParkWhen when = ParkWhen::pressure;
  std::function<bool()> holds_metrics;  // whether an unsettled metric chunk lies there; empty: never
  std::uint32_t in_flight_max = 2;
};

struct RouterOptions {
  std::uint32_t collector_in_flight_max = 4;
  double high_water_mark = 0.5;  // from here on chunks are parked that an open breaker keeps from the Collector
  // From here on chunks are also parked although the Collector takes others as fast as it can. Above the high-water
  // mark: parking takes time from delivering, and what is parked must be sent later all the same.
  double busy_mark = 0.75;
  std::function<double()> pressure;  // 0 to 1: how full the pool is; empty: no pressure, ever
};

struct RouteStatus {
  std::string name;
  std::uint32_t in_flight_count = 0;
  std::array<GuardStatus, model::signal_count> signals;
};

// Thread-safe. The sinks outlive every delivery under way.
//
// Order of metrics: while a tier holds metric chunks, further metric chunks are parked behind them in that same tier
// and never sent past them, whatever the Collector and the pressure say. A tier for outages takes them only during an
// outage and under pressure; otherwise they wait until it has given the last one away. If the tier refuses them, a
// later one that may take them does; from then on they queue behind that one.
class Router final : public model::Sink {
 public:
  Router(GuardedSink& collector, os::Clock& clock, std::vector<OverflowTier> tiers, RouterOptions options);

  [[nodiscard]] std::string_view name() const noexcept override { return "router"; }
  [[nodiscard]] model::Readiness readiness(model::Signal signal, base::SteadyTime now) noexcept override;
  // A tier that refuses a chunk hands it to the next one that is allowed to take it; so does the Collector, once its
  // breaker is not closed.
  void submit(model::Chunk chunk, model::AckCallback done) noexcept override;
  void cancel_all() noexcept override;

  // The Collector first, then the tiers in order.
  [[nodiscard]] std::vector<RouteStatus> status() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace arca::flow
