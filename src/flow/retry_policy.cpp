#include "flow/retry_policy.hpp"

#include <algorithm>
#include <cmath>

namespace arca::flow {

base::Duration backoff_delay(const BackoffOptions& options, std::uint32_t failure_count, const Random& random) {
  const double growth = std::pow(options.multiplier, failure_count > 0 ? failure_count - 1 : 0);
  const double max = static_cast<double>(options.max.count());
  // min() on doubles first: the power of a long outage does not fit into an integer.
  const double full = std::min(static_cast<double>(options.initial.count()) * growth, max);
  return base::Duration(static_cast<std::int64_t>(full * (1.0 - options.jitter * draw(random))));
}

base::Duration backoff_delay(const BackoffOptions& options, std::uint32_t failure_count, const Random& random,
                             std::optional<base::Duration> retry_after) {
  const base::Duration ours = backoff_delay(options, failure_count, random);
  return retry_after ? std::max(ours, *retry_after) : ours;
}

}  // namespace arca::flow
