#include "base/biased_lock.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace arca::base {

namespace detail {

std::atomic<bool> biased_locks_enabled{false};

void barrier_all_threads() noexcept { syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0); }

// A holder is done in no time, unless the system took its processor away: then yielding does not help if we have a
// higher real-time priority.
void wait_a_moment(unsigned turn) noexcept {
  if (turn < 100) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

constinit thread_local std::uint64_t thread_key = 0;

std::uint64_t make_thread_key() noexcept {
  static std::atomic<std::uint64_t> next{1};
  thread_key = next.fetch_add(1, std::memory_order_relaxed);
  return thread_key;
}

}  // namespace detail

void enable_biased_locks() noexcept {
#if !defined(ARCA_SANITIZE_THREAD)
  const bool registered = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  detail::biased_locks_enabled.store(registered, std::memory_order_relaxed);
#endif
}

}  // namespace arca::base
