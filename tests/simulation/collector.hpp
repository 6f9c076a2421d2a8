// Collector: the simulated one, and the way to it. What arrives there the oracle is told.
#pragma once

#include <memory>
#include <string>

#include "net/transport.hpp"
#include "simulation/life.hpp"
#include "simulation/oracle.hpp"
#include "simulation/weather.hpp"
#include "simulation/world.hpp"

namespace arca::simulation {

class Collector {
 public:
  Collector(World& world, Oracle& oracle, std::uint64_t seed)
      : world_(world), oracle_(oracle), dice_(seed, "collector") {}

  Weather weather;

  // One signal's connection of a process.
  std::unique_ptr<net::Transport> connect(model::Signal signal, std::shared_ptr<Life> life);
  [[nodiscard]] std::uint64_t request_count() const noexcept { return request_count_; }

 private:
  friend class Connection;
  struct Request {
    model::Signal signal{};
    std::vector<std::byte> bytes;
    std::string chunk;
  };
  net::Response take(const Request& request, Fate fate);

  World& world_;
  Oracle& oracle_;
  Dice dice_;
  std::uint64_t request_count_ = 0;
};

}  // namespace arca::simulation
