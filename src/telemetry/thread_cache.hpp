// ThreadCache: what each thread keeps so that a span or log record costs no malloc: free blocks for the objects, free
// writers with their grown buffers, and counters that nobody contends for. Used by the tracer, the logger and Recorder.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "otlp/log_writer.hpp"
#include "otlp/span_writer.hpp"

namespace arca::telemetry {

// What the SDK's self-observability counts, per thread.
enum class Count : std::uint8_t {
  span_recorded_root,
  span_recorded_local,
  span_recorded_remote,
  span_dropped_root,
  span_dropped_local,
  span_dropped_remote,
  span_ended,
  log_created,
  span_handed_on,
  log_handed_on,
  span_after_shutdown,
  log_after_shutdown,
  span_refused,
  log_refused,
};
inline constexpr std::size_t count_size = 14;
using Counts = std::array<std::uint64_t, count_size>;

// Not thread-safe: of one thread, but for `inside` and the counters, which others read.
class ThreadCache {
 public:
  static constexpr std::size_t block_size = 384;
  static constexpr std::size_t free_max = 64;           // of each kind
  static constexpr std::size_t buffer_max = 64 * 1024;  // a writer that grew beyond this gives memory back

  // The calling thread's. Null only when there is no memory.
  static ThreadCache* mine() noexcept {
    if (current_ != nullptr) [[likely]]
      return current_;
    return make();
  }

  void* take_block() {
    if (block_count_ > 0) [[likely]]
      return blocks_[--block_count_];
    return ::operator new(block_size);
  }
  void give_block(void* block) noexcept {
    if (block_count_ < free_max) [[likely]] {
      blocks_[block_count_++] = block;
    } else {
      ::operator delete(block);
    }
  }

  std::unique_ptr<otlp::SpanWriter> take_span_writer() noexcept { return take(span_writers_); }
  void give(std::unique_ptr<otlp::SpanWriter> writer) noexcept { give_to(span_writers_, std::move(writer)); }
  std::unique_ptr<otlp::LogWriter> take_log_writer() noexcept { return take(log_writers_); }
  void give(std::unique_ptr<otlp::LogWriter> writer) noexcept { give_to(log_writers_, std::move(writer)); }

  void count(Count what) noexcept {
    auto& counter = counts_[static_cast<std::size_t>(what)];
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // Whether this thread uses the recorder's intake now: see Recorder.
  std::atomic<bool> inside{false};

  // Sums over all threads, living and gone.
  static Counts totals();
  // Whether no thread is inside at this moment.
  static bool all_are_outside() noexcept;

  ~ThreadCache();

 private:
  friend struct ThreadCacheOwner;
  friend struct CacheRegistry;

  template <class Writer>
  struct FreeList {
    std::size_t size = 0;
    std::array<std::unique_ptr<Writer>, free_max> writers;
  };

  ThreadCache() = default;
  static ThreadCache* make() noexcept;

  template <class Writer>
  std::unique_ptr<Writer> take(FreeList<Writer>& list) noexcept {
    if (list.size > 0) [[likely]]
      return std::move(list.writers[--list.size]);
    return std::unique_ptr<Writer>(new (std::nothrow) Writer());
  }
  template <class Writer>
  void give_to(FreeList<Writer>& list, std::unique_ptr<Writer> writer) noexcept {
    if (list.size == free_max) return;
    writer->trim(buffer_max);
    list.writers[list.size++] = std::move(writer);
  }

  // initial-exec: one load instead of a call, also in a shared library.
  [[gnu::tls_model("initial-exec")]] static thread_local constinit ThreadCache* current_;

  std::size_t block_count_ = 0;
  std::array<void*, free_max> blocks_;
  FreeList<otlp::SpanWriter> span_writers_;
  FreeList<otlp::LogWriter> log_writers_;
  std::array<std::atomic<std::uint64_t>, count_size> counts_{};
};

// Allocates from the calling thread's free blocks; for allocate_shared, so that a span and its control block are
// one recycled block. A block may be freed by another thread, which then keeps it.
template <class T>
struct BlockAllocator {
  using value_type = T;
  BlockAllocator() noexcept = default;
  template <class U>
  BlockAllocator(const BlockAllocator<U>&) noexcept {}

  T* allocate(std::size_t count) {
    static_assert(sizeof(T) <= ThreadCache::block_size && alignof(T) <= alignof(std::max_align_t));
    ThreadCache* cache = ThreadCache::mine();
    if (cache == nullptr || count != 1) throw std::bad_alloc();
    return static_cast<T*>(cache->take_block());
  }
  void deallocate(T* block, std::size_t) noexcept {
    ThreadCache* cache = ThreadCache::mine();
    if (cache != nullptr) {
      cache->give_block(block);
    } else {
      ::operator delete(block);
    }
  }
  template <class U>
  bool operator==(const BlockAllocator<U>&) const noexcept {
    return true;
  }
};

}  // namespace arca::telemetry
