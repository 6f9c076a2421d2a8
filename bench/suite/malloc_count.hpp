// Counts the heap allocations of one thread between begin() and end(), by standing in front of malloc. Include in one
// translation unit of a program.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
}

namespace bench {

inline thread_local bool counting_mallocs = false;
inline thread_local std::uint64_t malloc_count = 0;

inline void count_malloc() noexcept {
  if (counting_mallocs) ++malloc_count;
}

}  // namespace bench

extern "C" {
void* malloc(std::size_t size) {
  bench::count_malloc();
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  bench::count_malloc();
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  bench::count_malloc();
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  bench::count_malloc();
  return __libc_memalign(alignment, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  bench::count_malloc();
  return __libc_memalign(alignment, size);
}
}
