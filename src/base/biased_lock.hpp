// A lock that costs its owner thread no atomic read-modify-write: for state that one thread touches millions of
// times and others almost never (a span, a thread's open chunk). The owner announces itself with a plain store;
// a stranger makes that store visible with membarrier(2) and from then on everybody, the owner too, uses a
// spin lock. Without membarrier, and under ThreadSanitizer, it is a spin lock from the start.
#pragma once

#include <atomic>
#include <cstdint>

namespace arca::base {

// Registers this process for membarrier. Call at start and again in a forked child. Idempotent, thread-safe.
void enable_biased_locks() noexcept;

namespace detail {
extern std::atomic<bool> biased_locks_enabled;
void barrier_all_threads() noexcept;  // every thread of the process has passed a full barrier afterwards
// How often this process was forked off from one that uses locks: set by os, in the child.
inline constinit std::atomic<std::uint32_t> fork_count{0};
// Stands for a lock whose holder does not exist in this process.
inline constinit std::atomic<bool> orphaned_lock{false};
void wait_a_moment(unsigned turn) noexcept;
}  // namespace detail

namespace detail {
// initial-exec: one load instead of a call, also in a shared library.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local std::uint64_t thread_key;
std::uint64_t make_thread_key() noexcept;
}  // namespace detail

// An id of the calling thread: never 0, never reused within a process. One thread-local load.
inline std::uint64_t this_thread_key() noexcept {
  const std::uint64_t key = detail::thread_key;
  return key != 0 ? key : detail::make_thread_key();
}

// Thread-safe. Not recursive: a thread must not lock twice. Holders must not block.
class BiasedLock {
 public:
  BiasedLock() noexcept { reset(this_thread_key()); }

  // Binds the lock to an owner again. Requires: nobody holds or waits.
  void reset(std::uint64_t owner) noexcept {
    owner_ = owner != 0 ? owner : no_owner;
    owner_inside_.store(false, std::memory_order_relaxed);
    spin_.store(false, std::memory_order_relaxed);
    shared_.store(!detail::biased_locks_enabled.load(std::memory_order_relaxed), std::memory_order_relaxed);
    born_ = detail::fork_count.load(std::memory_order_relaxed);
  }

  // Not for locks that a forked child inherited: for those there is BiasedGuard.
  void lock() noexcept { static_cast<void>(enter()); }

  void unlock() noexcept {
    if (owner_inside_.load(std::memory_order_relaxed) && this_thread_key() == owner_) {
      owner_inside_.store(false, std::memory_order_release);
    } else {
      spin_.store(false, std::memory_order_release);
    }
  }

  // Locks if the calling thread is the owner and no stranger has ever come; no call and nothing to wait for. Undone by
  // leave_as_owner(): for OwnerGuard.
  [[nodiscard]] bool try_enter_as_owner() noexcept {
    // A thread without a key yet (0) owns no lock.
    return detail::thread_key == owner_ && enter_as_owner();
  }
  void leave_as_owner() noexcept { owner_inside_.store(false, std::memory_order_release); }

  // As lock(), but says what to clear, with release order, in order to unlock: for BiasedGuard.
  [[nodiscard]] std::atomic<bool>& enter() noexcept {
    if (try_enter_as_owner()) [[likely]]
      return owner_inside_;
    return enter_shared();
  }

 private:
  bool enter_as_owner() noexcept {
    owner_inside_.store(true, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // the stranger's membarrier is the other half
    if (!shared_.load(std::memory_order_acquire)) return true;
    owner_inside_.store(false, std::memory_order_release);
    return false;
  }

  [[gnu::cold, gnu::noinline]] std::atomic<bool>& enter_shared() noexcept {
    // A forked child has none of the threads that held its inherited locks: it tries once and never waits.
    const bool is_inherited = born_ != detail::fork_count.load(std::memory_order_relaxed);
    for (unsigned turn = 0; spin_.exchange(true, std::memory_order_acquire); ++turn) {
      if (is_inherited) return detail::orphaned_lock;
      detail::wait_a_moment(turn);
    }
    if (shared_.load(std::memory_order_relaxed)) return spin_;
    shared_.store(true, std::memory_order_release);
    detail::barrier_all_threads();
    for (unsigned turn = 0; owner_inside_.load(std::memory_order_acquire); ++turn) {
      if (is_inherited) {
        shared_.store(false, std::memory_order_relaxed);  // the next one has to look again
        spin_.store(false, std::memory_order_release);
        return detail::orphaned_lock;
      }
      detail::wait_a_moment(turn);
    }
    return spin_;
  }

  // Not 0: that is what a thread without a key has, and two of those would both come in as the owner.
  static constexpr std::uint64_t no_owner = UINT64_MAX;

  std::uint64_t owner_ = no_owner;
  std::atomic<bool> owner_inside_{false};
  std::atomic<bool> shared_{false};
  std::atomic<bool> spin_{false};
  std::uint32_t born_ = 0;  // the fork count then
};

// Holds a lock for a scope; cheaper than std::lock_guard, whose unlock() must find out again who holds it.
class BiasedGuard {
 public:
  explicit BiasedGuard(BiasedLock& lock) noexcept : held_(lock.enter()) {}
  ~BiasedGuard() { held_.store(false, std::memory_order_release); }
  // True in a forked child when another thread held the lock at the fork: what it protects is half done and must not be
  // touched. Also, but only in the child, when another thread holds it just now.
  [[nodiscard]] bool is_orphaned() const noexcept { return &held_ == &detail::orphaned_lock; }
  BiasedGuard(const BiasedGuard&) = delete;
  BiasedGuard& operator=(const BiasedGuard&) = delete;

 private:
  std::atomic<bool>& held_;
};

// Holds a lock for a scope if its owner can have it at once: for a first, short way, beside which a second one uses
// BiasedGuard.
class OwnerGuard {
 public:
  explicit OwnerGuard(BiasedLock& lock) noexcept : lock_(lock), held_(lock.try_enter_as_owner()) {}
  ~OwnerGuard() {
    if (held_) lock_.leave_as_owner();
  }
  OwnerGuard(const OwnerGuard&) = delete;
  OwnerGuard& operator=(const OwnerGuard&) = delete;
  explicit operator bool() const noexcept { return held_; }

 private:
  BiasedLock& lock_;
  const bool held_;
};

}  // namespace arca::base
