// Replaces operator new, so that memory fails when memory_that_fails.hpp says so. Included by one file of a test
// program.
#pragma once

#include <cstdlib>
#include <new>

#include "fakes/memory_that_fails.hpp"

[[gnu::noinline]] void* operator new(std::size_t size) {
  long& left = arca::fakes::allocations_until_failure;
  if (left >= 0 && !arca::fakes::ClusterMemory::is_used() && left-- == 0) throw std::bad_alloc();
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
// The standard's nothrow forms would not come here: a sanitizer has its own, and would see two allocators mixed.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
