#include "cli/query/trace_search.hpp"

#include <algorithm>
#include <cstring>

namespace arca::cli::query {

namespace {
constexpr base::Duration clock_margin = std::chrono::minutes(5);
// Above so many ids one walk over the records is cheaper than a search for each.
constexpr std::size_t searches_max = 4;
}  // namespace

bool is_before(const Wanted& wanted, base::WallTime sealed_at) noexcept {
  return wanted.since && sealed_at < *wanted.since - clock_margin;
}

bool may_hold(const Wanted& wanted, base::Bytes bytes) noexcept {
  if (wanted.traces.empty() || wanted.traces.size() > searches_max) return true;
  return std::any_of(wanted.traces.begin(), wanted.traces.end(), [&](const TraceId& id) {
    return ::memmem(bytes.data(), bytes.size(), id.data(), id.size()) != nullptr;
  });
}

}  // namespace arca::cli::query
