#include "flow/router.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <new>
#include <optional>
#include <utility>

namespace arca::flow {

namespace {

struct Route {
  GuardedSink* sink = nullptr;
  std::uint32_t in_flight_max = 0;
  std::atomic<std::uint32_t> in_flight{0};

  [[nodiscard]] bool has_window() const noexcept { return in_flight.load(std::memory_order_acquire) < in_flight_max; }
};

// Shared, not copied, from one route to the next: a copy may find no memory, and the verdict would have nowhere to go.
using SharedDone = std::shared_ptr<model::AckCallback>;

// Null for want of memory; `done` is then where it was.
SharedDone share(model::AckCallback& done) noexcept {
  try {
    return std::make_shared<model::AckCallback>(std::move(done));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

// One chunk on its way through one route.
struct Delivery {
  std::size_t route = 0;
  SharedDone done;
  model::Chunk chunk;  // for the next tier
  std::atomic<bool> is_answered{false};
};

// The route that takes the chunk now, or when to ask again.
struct Choice {
  std::optional<std::size_t> route;
  base::SteadyTime ask_again_at = base::never;
};

constexpr std::size_t collector_route = 0;
constexpr base::Duration drained_poll = std::chrono::milliseconds(200);

}  // namespace

struct Router::State : std::enable_shared_from_this<Router::State> {
  State(GuardedSink& collector, os::Clock& clock_in, std::vector<OverflowTier> tiers_in, RouterOptions options_in)
      : clock(clock_in), options(std::move(options_in)), tiers(std::move(tiers_in)), routes(tiers.size() + 1) {
    routes[collector_route].sink = &collector;
    routes[collector_route].in_flight_max = options.collector_in_flight_max;
    for (std::size_t i = 0; i < tiers.size(); ++i) {
      routes[i + 1].sink = tiers[i].sink;
      routes[i + 1].in_flight_max = tiers[i].in_flight_max;
    }
  }

  // Chooses among the routes from `first` on.
  Choice choose(model::Signal signal, base::SteadyTime now, std::size_t first) {
    const std::optional<std::size_t> behind = route_that_holds(signal);
    Choice choice;
    for (std::size_t route = first; route < routes.size(); ++route) {
      if (behind && route < *behind) continue;
      if (!queues_behind(route, behind) && !may_take(route, signal)) {
        // Nobody tells when the tier has given its last metric chunk away.
        if (route == behind) choice.ask_again_at = std::min(choice.ask_again_at, now + drained_poll);
        continue;
      }
      if (!routes[route].has_window()) continue;  // an ack will wake whoever waits
      const model::Readiness readiness = routes[route].sink->readiness(signal, now);
      if (readiness.ready) {
        choice.route = route;
        return choice;
      }
      choice.ask_again_at = std::min(choice.ask_again_at, readiness.ask_again_at);
    }
    return choice;
  }

  // The tier behind whose metric chunks this signal has to queue. Of several the last: what an earlier one did not take
  // went there.
  std::optional<std::size_t> route_that_holds(model::Signal signal) const {
    if (signal != model::Signal::metrics) return std::nullopt;
    for (std::size_t i = tiers.size(); i > 0; --i) {
      if (tiers[i - 1].holds_metrics && tiers[i - 1].holds_metrics()) return i;
    }
    return std::nullopt;
  }

  // A tier for outages is not fed while the Collector works: what lies there leaves it slower than metrics come, and
  // each would take the detour for ever. They wait for its last one instead, unless the pool fills up.
  [[nodiscard]] bool queues_behind(std::size_t route, std::optional<std::size_t> behind) const {
    return behind == route && route != collector_route && tiers[route - 1].when == ParkWhen::pressure;
  }

  bool may_take(std::size_t route, model::Signal signal) const {
    if (route == collector_route) return true;
    const OverflowTier& tier = tiers[route - 1];
    const bool is_outage = !routes[collector_route].sink->is_closed(signal);
    if (tier.when == ParkWhen::outage && is_outage) return true;
    return options.pressure && options.pressure() >= (is_outage ? options.high_water_mark : options.busy_mark);
  }

  void submit(std::size_t route, model::Chunk chunk, const SharedDone& done) noexcept {
    const model::ChunkId id = chunk.id;
    routes[route].in_flight.fetch_add(1, std::memory_order_acq_rel);
    try {
      const auto delivery = std::make_shared<Delivery>();
      delivery->route = route;
      delivery->done = done;
      delivery->chunk = chunk;
      model::AckCallback on_ack = [self = shared_from_this(), delivery](model::Ack ack) {
        self->answer(*delivery, std::move(ack));
      };
      routes[route].sink->submit(std::move(chunk), std::move(on_ack));
    } catch (const std::bad_alloc&) {
      routes[route].in_flight.fetch_sub(1, std::memory_order_acq_rel);
      (*done)(model::not_sent_for_want_of_memory(id));
    }
  }

  void answer(Delivery& delivery, model::Ack ack) {
    if (delivery.is_answered.exchange(true)) {  // the dispatcher counts it; our window must not
      (*delivery.done)(std::move(ack));
      return;
    }
    routes[delivery.route].in_flight.fetch_sub(1, std::memory_order_acq_rel);
    // Only a plain refusal moves on: after `unknown` the other side may hold the chunk, or somebody cancelled. From the
    // Collector only once it counts as away: a chunk that is always the one sent to try it would never be parked.
    if (ack.verdict == model::Verdict::retry && hands_on(delivery)) {
      const Choice next = choose(delivery.chunk.signal, clock.steady_now(), delivery.route + 1);
      if (next.route) {
        submit(*next.route, delivery.chunk, delivery.done);
        return;
      }
    }
    (*delivery.done)(std::move(ack));
  }

  bool hands_on(const Delivery& delivery) const {
    return delivery.route != collector_route || !routes[collector_route].sink->is_closed(delivery.chunk.signal);
  }

  os::Clock& clock;
  const RouterOptions options;
  const std::vector<OverflowTier> tiers;
  std::vector<Route> routes;  // collector, then tiers
};

Router::Router(GuardedSink& collector, os::Clock& clock, std::vector<OverflowTier> tiers, RouterOptions options)
    : state_(std::make_shared<State>(collector, clock, std::move(tiers), std::move(options))) {}

model::Readiness Router::readiness(model::Signal signal, base::SteadyTime now) noexcept {
  const Choice choice = state_->choose(signal, now, collector_route);
  return {choice.route.has_value(), choice.ask_again_at};
}

void Router::submit(model::Chunk chunk, model::AckCallback done) noexcept {
  const Choice choice = state_->choose(chunk.signal, state_->clock.steady_now(), collector_route);
  if (const SharedDone shared = choice.route ? share(done) : nullptr) {
    state_->submit(*choice.route, std::move(chunk), shared);
  } else {  // for want of memory, or somebody else took the last permit between readiness() and now
    done(model::not_sent_for_want_of_memory(chunk.id));
  }
}

void Router::cancel_all() noexcept {
  for (Route& route : state_->routes) route.sink->cancel_all();
}

std::vector<RouteStatus> Router::status() const {
  std::vector<RouteStatus> all;
  for (const Route& route : state_->routes) {
    RouteStatus status{
        .name = std::string(route.sink->name()), .in_flight_count = route.in_flight.load(), .signals = {}};
    for (const model::Signal signal : model::all_signals) {
      status.signals[model::index_of(signal)] = route.sink->status(signal);
    }
    all.push_back(std::move(status));
  }
  return all;
}

}  // namespace arca::flow
