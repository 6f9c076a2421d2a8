// The two kinds of time. SteadyTime measures waits and deadlines; WallTime is what telemetry and
// people see. Nobody reads a clock but through os::Clock.
#pragma once

#include <chrono>

namespace arca::base {

using Duration = std::chrono::nanoseconds;
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

// "Not before anything happens": the wake-up time of somebody who waits for an event only.
inline constexpr SteadyTime never = SteadyTime::max();

}  // namespace arca::base
