#include "base/biased_lock.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace arca::base {

namespace detail {

std::atomic<bool> biased_locks_enabled{false};

void barrier_all_threads() noexcept { syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0); }

}  // namespace detail

void enable_biased_locks() noexcept {
#if !defined(__SANITIZE_THREAD__)
  const bool registered = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  detail::biased_locks_enabled.store(registered, std::memory_order_relaxed);
#endif
}

std::uint64_t this_thread_key() noexcept {
  static std::atomic<std::uint64_t> next{1};
  thread_local const std::uint64_t key = next.fetch_add(1, std::memory_order_relaxed);
  return key;
}

}  // namespace arca::base
