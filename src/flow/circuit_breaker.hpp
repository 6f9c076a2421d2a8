// CircuitBreaker: stops sending to a peer that fails and finds out with single chunks whether it is back. Used by
// GuardedSink, one for each signal, because signals can have different endpoints.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time.hpp"
#include "flow/report.hpp"
#include "flow/retry_policy.hpp"

namespace arca::flow {

enum class BreakerState : std::uint8_t {
  closed,     // everything goes through
  open,       // nothing goes through until next_try_at
  half_open,  // exactly one chunk is under way to find out
};
std::string_view to_string(BreakerState state) noexcept;

struct BreakerOptions {
  std::uint32_t failure_count_max = 3;  // failures in a row that open it
  BackoffOptions open_time;
};

// Not thread-safe: its owner locks.
class CircuitBreaker {
 public:
  // Says which era a delivery belongs to. An answer to a delivery of an earlier era says nothing about now.
  class Permit {
    friend class CircuitBreaker;
    std::uint64_t era_ = 0;
  };

  CircuitBreaker(const BreakerOptions& options, Random random);

  // Whether try_acquire would give a permit.
  [[nodiscard]] bool allows(base::SteadyTime now) const noexcept;
  // Nothing while open. The first permit after the open time makes it half-open.
  [[nodiscard]] std::optional<Permit> try_acquire(base::SteadyTime now) noexcept;

  void record_success(Permit permit) noexcept;
  // `retry_after` was named by the server: opens at once, for the longer of both waits.
  void record_failure(Permit permit, base::SteadyTime now, std::optional<base::Duration> retry_after);

  [[nodiscard]] BreakerState state() const noexcept { return state_; }
  // When allows() turns true without any answer; base::never while half-open. Meaningless while closed.
  [[nodiscard]] base::SteadyTime next_try_at() const noexcept;

 private:
  void open(base::SteadyTime now, std::optional<base::Duration> retry_after);

  BreakerOptions options_;
  Random random_;
  BreakerState state_ = BreakerState::closed;
  std::uint64_t era_ = 0;            // rises with every change of state
  std::uint32_t failure_count_ = 0;  // in a row, while closed
  std::uint32_t open_count_ = 0;     // in a row, without a success between
  base::SteadyTime open_until_{};
};

}  // namespace arca::flow
