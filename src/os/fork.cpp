#include "os/fork.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "base/biased_lock.hpp"

namespace arca::os {

constinit std::atomic<std::uint64_t> detail::fork_generation{0};

namespace {

// Changed only under the mutex, which prepare holds across the fork: so parent and child read the list without
// locking. Never destroyed, because the host may fork while its static objects die.
struct Registry {
  std::mutex mutex;
  std::vector<ForkSubscriber*> subscribers;
};

Registry& registry();

void prepare() noexcept {
  Registry& all = registry();
  all.mutex.lock();
  for (auto it = all.subscribers.rbegin(); it != all.subscribers.rend(); ++it) (*it)->prepare_fork();
}

void after_in_parent() noexcept {
  Registry& all = registry();
  for (ForkSubscriber* subscriber : all.subscribers) subscriber->after_fork_in_parent();
  all.mutex.unlock();
}

void after_in_child() noexcept {
  detail::fork_generation.fetch_add(1, std::memory_order_relaxed);
  base::detail::fork_count.fetch_add(1, std::memory_order_relaxed);
  Registry& all = registry();
  for (ForkSubscriber* subscriber : all.subscribers) subscriber->after_fork_in_child();
  all.mutex.unlock();
}

Registry& registry() {
  static Registry* const instance = [] {
    auto* made = new Registry;
    made->subscribers.reserve(64);
    return made;
  }();
  // Second, so that the handlers find a finished registry.
  static const int registered = pthread_atfork(&prepare, &after_in_parent, &after_in_child);
  static_cast<void>(registered);
  return *instance;
}

// The count has to be right even when nobody ever subscribes.
const Registry& registered_at_start = registry();

}  // namespace

void subscribe_to_fork(ForkSubscriber& subscriber) {
  static_cast<void>(registered_at_start);
  Registry& all = registry();
  const std::scoped_lock lock(all.mutex);
  all.subscribers.push_back(&subscriber);
}

void unsubscribe_from_fork(ForkSubscriber& subscriber) {
  Registry& all = registry();
  const std::scoped_lock lock(all.mutex);
  std::erase(all.subscribers, &subscriber);
}

ForkHold::ForkHold() { registry().mutex.lock(); }
ForkHold::~ForkHold() { registry().mutex.unlock(); }

}  // namespace arca::os
