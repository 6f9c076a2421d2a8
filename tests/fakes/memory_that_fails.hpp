// Memory that runs out at one moment: the n-th allocation of a call fails. The operators that do it stand in
// failing_memory.hpp, which one file of the test program includes.
#pragma once

#include <new>

namespace arca::fakes {
inline constinit thread_local long allocations_until_failure = -1;  // negative: none fails

// What stands for another machine has memory of its own.
class ClusterMemory {
 public:
  ClusterMemory() noexcept { ++depth; }
  ~ClusterMemory() { --depth; }
  ClusterMemory(const ClusterMemory&) = delete;
  ClusterMemory& operator=(const ClusterMemory&) = delete;
  static bool is_used() noexcept { return depth > 0; }

 private:
  inline static constinit thread_local int depth = 0;
};

// Calls with the n-th allocation failing. False if there were fewer.
template <class Call>
bool fails_at(long n, Call call) {
  allocations_until_failure = n;
  try {
    call();
  } catch (const std::bad_alloc&) {
    // As the threads that call see it.
  }
  const bool has_failed = allocations_until_failure < 0;
  allocations_until_failure = -1;
  return has_failed;
}

}  // namespace arca::fakes
