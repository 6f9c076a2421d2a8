#include "telemetry/fast_clock.hpp"

#include <string>
#include <vector>

#include "os/file_system.hpp"

namespace arca::telemetry {
namespace {

constexpr std::uint64_t scale_gap_min = 5'000'000;  // ns between two anchors that give a rate worth having

// The kernel checks the counter more thoroughly than we could; where it does not trust it, neither do we.
bool kernel_uses_counter() {
#if defined(__x86_64__)
  auto file = os::posix_file_system().open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                                           os::OpenMode::read);
  if (!file) return false;
  char text[8] = {};
  const auto count = (*file)->read_at(0, std::as_writable_bytes(std::span<char>(text)));
  return count && *count >= 3 && std::string_view(text, 3) == "tsc" && (*count == 3 || text[3] == '\n');
#else
  return false;
#endif
}

std::uint64_t nanos(auto time) noexcept { return static_cast<std::uint64_t>(time.time_since_epoch().count()); }

}  // namespace

FastClock::FastClock(os::Clock& clock, bool allow_counter)
    : clock_(clock), counter_allowed_(allow_counter && kernel_uses_counter()) {
  anchor();
}

Moment FastClock::slow_now() noexcept { return {nanos(clock_.wall_now()), nanos(clock_.steady_now()), false}; }

std::uint64_t FastClock::steady_nanos() noexcept { return nanos(clock_.steady_now()); }

std::uint64_t FastClock::nanos_since(const Moment& start) noexcept {
#if defined(__x86_64__)
  if (start.is_ticks) {
    const std::uint64_t ticks = __rdtsc();
    return ticks > start.counter ? scaled(ticks - start.counter, scale_.load(std::memory_order_relaxed)) : 0;
  }
#endif
  const std::uint64_t now = nanos(clock_.steady_now());
  return now > start.counter ? now - start.counter : 0;
}

FastClock::Sample FastClock::sample() noexcept {
  Sample best;
#if defined(__x86_64__)
  std::uint64_t width = UINT64_MAX;
  for (int i = 0; i < 5; ++i) {  // the narrowest of five: an interrupt in between would shift the anchor
    const std::uint64_t before = __rdtsc();
    const std::uint64_t wall = nanos(clock_.wall_now());
    const std::uint64_t steady = nanos(clock_.steady_now());
    const std::uint64_t after = __rdtsc();
    if (after - before >= width) continue;
    width = after - before;
    best = {before + width / 2, wall, steady};
  }
#endif
  return best;
}

void FastClock::anchor() noexcept {
  if (!counter_allowed_) return;
  const Sample now = sample();
  if (!sampled_) {
    sampled_ = true;
    last_ = now;
    return;
  }
  const std::uint64_t elapsed = now.steady - last_.steady;
  if (elapsed < scale_gap_min || now.ticks <= last_.ticks) return;
  __extension__ using Wide = unsigned __int128;
  const auto scale = static_cast<std::uint64_t>((static_cast<Wide>(elapsed) << 32U) / (now.ticks - last_.ticks));
  last_ = now;
  publish(now, scale);
}

void FastClock::publish(const Sample& sample, std::uint64_t scale) noexcept {
  const std::uint32_t version = version_.load(std::memory_order_relaxed);
  version_.store(version + 1, std::memory_order_relaxed);
  base_ticks_.store(sample.ticks, std::memory_order_release);
  base_nanos_.store(sample.wall, std::memory_order_release);
  scale_.store(scale, std::memory_order_release);
  version_.store(version + 2, std::memory_order_release);
  ready_.store(true, std::memory_order_release);
}

}  // namespace arca::telemetry
