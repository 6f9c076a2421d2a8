// GuardedSink: a Sink behind one circuit breaker for each signal. Router holds one for the Collector and one for each
// overflow tier; recovery sends through the Collector's, so that live traffic and recovery share what is known
// about the peer and only one chunk of both goes out while half-open.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "flow/circuit_breaker.hpp"
#include "model/sink.hpp"
#include "os/clock.hpp"

namespace arca::flow {

struct GuardStatus {
  BreakerState state = BreakerState::closed;
  std::string last_error;                       // of the last failed delivery; stays after success
  std::optional<base::SteadyTime> next_try_at;  // while open
  std::uint64_t failure_count = 0;              // deliveries that failed, ever
};

// Thread-safe. `sink` and `clock` outlive it and every delivery under way.
class GuardedSink final : public model::Sink {
 public:
  GuardedSink(model::Sink& sink, os::Clock& clock, const BreakerOptions& options, const Random& random);
  // A second door to the peer of `same_peer`: what either learns of the peer, both know. Recovery from a tier sends
  // through one whose rejected chunks are kept by that tier.
  GuardedSink(model::Sink& sink, const GuardedSink& same_peer);

  [[nodiscard]] std::string_view name() const noexcept override;
  [[nodiscard]] model::Readiness readiness(model::Signal signal, base::SteadyTime now) noexcept override;
  // While the breaker is open, answers `retry` at once with the time to wait.
  void submit(model::Chunk chunk, model::AckCallback done) noexcept override;
  void cancel_all() noexcept override;

  [[nodiscard]] bool is_closed(model::Signal signal) const noexcept;
  [[nodiscard]] GuardStatus status(model::Signal signal) const;

 private:
  struct Knowledge;
  model::Sink& sink_;
  std::shared_ptr<Knowledge> knowledge_;  // late acks may outlive this object
};

}  // namespace arca::flow
