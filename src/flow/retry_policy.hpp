// How long to wait after a failure: exponential, capped, with jitter. Used by CircuitBreaker between its tries, by
// Dispatcher for single chunks while the breaker is closed, and for our own failing disk.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "flow/report.hpp"

namespace arca::flow {

struct BackoffOptions {
  base::Duration initial = std::chrono::seconds(1);
  double multiplier = 1.5;
  // As the stock SDKs. After an outage of any length the first chunk goes out within this time of its end.
  base::Duration max = std::chrono::seconds(5);
  double jitter = 0.5;  // the random share of each wait: the wait lies in ((1 - jitter) * full, full]
};

// The wait after the n-th failure in a row (n from 1).
base::Duration backoff_delay(const BackoffOptions& options, std::uint32_t failure_count, const Random& random);

// The same, but never shorter than the server asked for.
base::Duration backoff_delay(const BackoffOptions& options, std::uint32_t failure_count, const Random& random,
                             std::optional<base::Duration> retry_after);

}  // namespace arca::flow
