// FastClock: nanoseconds since 1970 for the hot path. Where the processor's counter is the kernel's own clock source
// (constant, never stopping, in step over all processors), it is read directly and anchored to the wall clock again
// and again by a background tick; elsewhere, and until the first two anchors exist, the kernel is asked.
#pragma once

#include <atomic>
#include <cstdint>

#include "os/clock.hpp"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace arca::telemetry {

// A moment as both: what people see, and a counter for durations that does not jump when the wall clock is set.
struct Moment {
  std::uint64_t unix_nanos = 0;
  std::uint64_t counter = 0;  // ticks or steady nanoseconds: see FastClock::nanos_since
  bool is_ticks = false;
};

// Thread-safe.
class FastClock {
 public:
  // `allow_counter`: false makes it follow `clock` only, as tests want it.
  FastClock(os::Clock& clock, bool allow_counter);

  [[nodiscard]] Moment now() noexcept {
#if defined(__x86_64__)
    if (ready_.load(std::memory_order_acquire)) [[likely]] {
      const std::uint64_t ticks = __rdtsc();
      return {at(ticks), ticks, true};
    }
#endif
    return slow_now();
  }

  // Nanoseconds from `start` until now on the counter that `start` was read from; never negative.
  [[nodiscard]] std::uint64_t nanos_since(const Moment& start) noexcept;

  // The steady clock of the kernel, for times that the application gives.
  [[nodiscard]] std::uint64_t steady_nanos() noexcept;
  [[nodiscard]] os::Clock& source() noexcept { return clock_; }

  // Compares counter and wall clock again. Called about once a second by one thread.
  void anchor() noexcept;
  [[nodiscard]] bool uses_counter() const noexcept { return ready_.load(std::memory_order_relaxed); }

 private:
  struct Sample {
    std::uint64_t ticks = 0;
    std::uint64_t wall = 0;
    std::uint64_t steady = 0;
  };
  Moment slow_now() noexcept;
  Sample sample() noexcept;
  void publish(const Sample& sample, std::uint64_t scale) noexcept;
  [[nodiscard]] std::uint64_t at(std::uint64_t ticks) const noexcept;
  [[nodiscard]] static std::uint64_t scaled(std::uint64_t ticks, std::uint64_t scale) noexcept;

  os::Clock& clock_;
  const bool counter_allowed_;
  std::atomic<bool> ready_{false};
  Sample last_;  // of the anchoring thread
  bool sampled_ = false;
  // A seqlock: odd while being written. The values themselves are stored with release and loaded with acquire instead
  // of fences, which ThreadSanitizer does not follow: who sees a new value sees the odd version too.
  std::atomic<std::uint32_t> version_{0};
  std::atomic<std::uint64_t> base_ticks_{0};
  std::atomic<std::uint64_t> base_nanos_{0};
  std::atomic<std::uint64_t> scale_{0};  // nanoseconds per tick, times 2^32
};

inline std::uint64_t FastClock::scaled(std::uint64_t ticks, std::uint64_t scale) noexcept {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(ticks) * scale) >> 32U);
}

inline std::uint64_t FastClock::at(std::uint64_t ticks) const noexcept {
  while (true) {
    const std::uint32_t before = version_.load(std::memory_order_acquire);
    const std::uint64_t base = base_ticks_.load(std::memory_order_acquire);
    const std::uint64_t nanos = base_nanos_.load(std::memory_order_acquire);
    const std::uint64_t scale = scale_.load(std::memory_order_acquire);
    if ((before & 1U) != 0 || before != version_.load(std::memory_order_relaxed)) [[unlikely]]
      continue;
    // The counter may have been read just before an anchor on another processor.
    return ticks >= base ? nanos + scaled(ticks - base, scale) : nanos - scaled(base - ticks, scale);
  }
}

}  // namespace arca::telemetry
