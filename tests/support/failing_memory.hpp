// An allocator of the whole program that fails when asked to. For one source of a test program: it replaces the
// operators new and delete.
#pragma once

#include <cstdlib>
#include <new>

namespace arca::support::detail {
inline constinit thread_local long allocations_until_failure = -1;  // negative: none fails
}  // namespace arca::support::detail

[[gnu::noinline]] void* operator new(std::size_t size) {
  using arca::support::detail::allocations_until_failure;
  if (allocations_until_failure >= 0 && allocations_until_failure-- == 0) throw std::bad_alloc();
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
// The standard's nothrow forms would not come here: a sanitizer has its own, and would see two allocators mixed.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace arca::support {

// Calls with the n-th allocation failing. False if there were fewer.
template <class Call>
bool fails_at(long n, Call call) {
  detail::allocations_until_failure = n;
  try {
    call();
  } catch (const std::bad_alloc&) {
    // As the threads that call see it.
  }
  const bool has_failed = detail::allocations_until_failure < 0;
  detail::allocations_until_failure = -1;
  return has_failed;
}

}  // namespace arca::support
