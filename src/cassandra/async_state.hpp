// AsyncState: what a source that asks Cassandra and waits for nobody has inside: one lock, calls that are made without
// it, and answers that are dropped when the source is gone. Base of the states of ParkedSource and RowScanner.
//
// Calls are put off until the lock is given back, and made one after another by whoever comes first, so that a store
// that answers at once does not pile up calls on the stack.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace arca::cassandra {

class AsyncState : public std::enable_shared_from_this<AsyncState> {
 public:
  virtual ~AsyncState() = default;

  // Nothing of ours runs when it returns, or ever after. Requires: not called by one of our own calls.
  void stop() {
    std::unique_lock lock(mutex_);
    is_over_ = true;
    changed_.wait(lock, [this] { return !is_acting_; });
    actions_.clear();
    waker_ = {};
  }
  void set_waker(std::function<void()> waker) {
    const std::lock_guard lock(mutex_);
    waker_ = std::move(waker);
  }

 protected:
  // What follows from an answer. Under the lock.
  virtual void after_answer() = 0;
  // Something threw: memory ran out, or we are wrong. Under the lock.
  virtual void after_failure(const char* what) noexcept = 0;

  // Runs `body` under the lock, then the calls that it has put off. Nothing if we are stopped; nothing leaves it.
  template <class Body>
  void enter(Body body) {
    std::unique_lock lock(mutex_);
    if (is_over_) return;
    try {
      body();
    } catch (const std::exception& broken) {
      after_failure(broken.what());
    }
    run_calls(lock);
  }
  // A callback that runs `handle` under the lock, if we are still there.
  template <class... Args, class Handler>
  auto later(Handler handle) {
    return [weak = weak_from_this(), handle = std::move(handle)](Args... args) mutable {
      const auto self = weak.lock();
      if (!self) return;
      self->enter([&] {
        handle(std::move(args)...);
        self->after_answer();
      });
    };
  }
  void call(std::function<void()> action) { actions_.push_back(std::move(action)); }
  // Whoever waits for us is to look again.
  void wake() noexcept { wakes_ = true; }

  mutable std::mutex mutex_;
  std::condition_variable changed_;  // after each round of calls

 private:
  void run_calls(std::unique_lock<std::mutex>& lock) {
    const std::function<void()> waker = std::exchange(wakes_, false) ? waker_ : nullptr;
    if (!is_acting_) {
      is_acting_ = true;
      while (!actions_.empty() && !is_over_) {
        const std::function<void()> action = std::move(actions_.front());
        actions_.pop_front();
        lock.unlock();
        try {
          action();
          lock.lock();
        } catch (const std::exception& broken) {
          lock.lock();
          after_failure(broken.what());
        }
      }
      is_acting_ = false;
      changed_.notify_all();
    }
    lock.unlock();
    if (waker) waker();
  }

  // All protected by mutex_.
  std::deque<std::function<void()>> actions_;
  std::function<void()> waker_;
  bool is_acting_ = false;  // somebody makes the calls
  bool is_over_ = false;
  bool wakes_ = false;
};

}  // namespace arca::cassandra
