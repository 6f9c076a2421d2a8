// WatchedSink: around a tier, tells the oracle what it has acknowledged.
#pragma once

#include <string_view>
#include <utility>

#include "model/sink.hpp"
#include "simulation/oracle.hpp"
#include "simulation/world.hpp"

namespace arca::simulation {

class WatchedSink final : public model::Sink {
 public:
  WatchedSink(model::Sink& inner, World& world, Oracle& oracle, Safety safety)
      : inner_(inner), world_(world), oracle_(oracle), safety_(safety) {}

  [[nodiscard]] std::string_view name() const noexcept override { return inner_.name(); }
  [[nodiscard]] model::Readiness readiness(model::Signal signal, base::SteadyTime now) noexcept override {
    return inner_.readiness(signal, now);
  }
  void submit(model::Chunk chunk, model::AckCallback done) noexcept override {
    auto numbers = records_in(chunk.payload.flatten());
    inner_.submit(std::move(chunk), [&world = world_, &oracle = oracle_, safety = safety_, name = inner_.name(),
                                     numbers = std::move(numbers), done = std::move(done)](model::Ack ack) {
      if (ack.verdict == model::Verdict::parked) oracle.kept(numbers, safety);
      world.note("chunk {} is {} by the {}: {}", model::to_string(ack.chunk_id), model::to_string(ack.verdict), name,
                 ack.reason);
      done(std::move(ack));
    });
  }
  void cancel_all() noexcept override { inner_.cancel_all(); }

 private:
  model::Sink& inner_;
  World& world_;
  Oracle& oracle_;
  const Safety safety_;
};

}  // namespace arca::simulation
