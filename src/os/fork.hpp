// What happens to us when the host process forks. One pthread_atfork registration for the whole library;
// components subscribe and unsubscribe. The generation number tells whether an object was made by
// this process or inherited from its parent.
#pragma once

#include <atomic>
#include <cstdint>

namespace arca::os {

// Thread-safe. Called in the order parent: prepare -> after_in_parent; child: after_in_child (subscribers
// in reverse order for prepare, in order afterwards). after_in_child may only do what is safe in a forked
// child of a threaded process: no allocation, no locks that prepare did not take.
class ForkSubscriber {
 public:
  virtual ~ForkSubscriber() = default;
  virtual void prepare_fork() noexcept {}
  virtual void after_fork_in_parent() noexcept {}
  virtual void after_fork_in_child() noexcept {}
};

void subscribe_to_fork(ForkSubscriber& subscriber);
void unsubscribe_from_fork(ForkSubscriber& subscriber);

// While one lives, no fork of this process begins: for the moments in which a descriptor exists that nobody
// knows yet. Must not be held while subscribing or unsubscribing.
class ForkHold {
 public:
  ForkHold();
  ~ForkHold();
  ForkHold(const ForkHold&) = delete;
  ForkHold& operator=(const ForkHold&) = delete;
};

// Grows by one in every forked child. One relaxed load.
namespace detail {
extern std::atomic<std::uint64_t> fork_generation;
}
inline std::uint64_t fork_generation() noexcept { return detail::fork_generation.load(std::memory_order_relaxed); }

}  // namespace arca::os
