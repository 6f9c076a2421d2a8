#include "telemetry/thread_cache.hpp"

#include <algorithm>
#include <mutex>

#include "os/fork.hpp"

namespace arca::telemetry {

thread_local constinit ThreadCache* ThreadCache::current_ = nullptr;

// All caches, and what the counters of ended threads came to. Never destroyed: threads may end after main.
struct CacheRegistry final : os::ForkSubscriber {
  std::mutex mutex;
  std::vector<ThreadCache*> caches;
  Counts gone{};

  static CacheRegistry& instance() {
    static CacheRegistry* const registry = [] {
      auto* made = new CacheRegistry;
      os::subscribe_to_fork(*made);
      return made;
    }();
    return *registry;
  }

  void prepare_fork() noexcept override { mutex.lock(); }
  void after_fork_in_parent() noexcept override { mutex.unlock(); }
  // The other threads do not exist in the child, whatever they were doing.
  void after_fork_in_child() noexcept override {
    for (ThreadCache* cache : caches) cache->inside.store(false, std::memory_order_relaxed);
    mutex.unlock();
  }

  void remove(ThreadCache* cache) noexcept {
    const std::lock_guard lock(mutex);
    for (std::size_t i = 0; i < count_size; ++i) gone[i] += cache->counts_[i].load(std::memory_order_relaxed);
    std::erase(caches, cache);
  }
};

// Made when the library is loaded, not by the first thread that needs it: if another thread forked meanwhile, the
// child would wait for ever for somebody who does not exist there.
[[maybe_unused]] const CacheRegistry& registry_at_load = CacheRegistry::instance();

// Frees the thread's cache when it ends. A span that ends even later, in another thread-local's destructor, gets a
// cache again, which then lives on: a few kilobytes for a thread that does so.
struct ThreadCacheOwner {
  ThreadCache* cache = nullptr;
  ~ThreadCacheOwner() {
    ThreadCache::current_ = nullptr;
    if (cache == nullptr) return;
    CacheRegistry::instance().remove(cache);
    delete cache;
  }
};

ThreadCache::~ThreadCache() {
  while (block_count_ > 0) ::operator delete(blocks_[--block_count_]);
}

ThreadCache* ThreadCache::make() noexcept {
  thread_local ThreadCacheOwner owner;
  try {
    std::unique_ptr<ThreadCache> cache(new ThreadCache);
    CacheRegistry& registry = CacheRegistry::instance();
    {
      const std::lock_guard lock(registry.mutex);
      registry.caches.push_back(cache.get());
    }
    current_ = cache.release();
    owner.cache = current_;
    return current_;
  } catch (const std::exception&) {
    return nullptr;  // no memory: the caller records nothing
  }
}

Counts ThreadCache::totals() {
  CacheRegistry& registry = CacheRegistry::instance();
  const std::lock_guard lock(registry.mutex);
  Counts sum = registry.gone;
  for (const ThreadCache* cache : registry.caches) {
    for (std::size_t i = 0; i < count_size; ++i) sum[i] += cache->counts_[i].load(std::memory_order_relaxed);
  }
  return sum;
}

bool ThreadCache::all_are_outside() noexcept {
  CacheRegistry& registry = CacheRegistry::instance();
  const std::lock_guard lock(registry.mutex);
  return std::none_of(registry.caches.begin(), registry.caches.end(),
                      [](const ThreadCache* cache) { return cache->inside.load(std::memory_order_seq_cst); });
}

}  // namespace arca::telemetry
