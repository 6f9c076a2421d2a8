// Doorbell: wakes threads that wait for "something happened". Dispatchers and recovery sleep on one; those who wait
// for a flush wait on the one that rings after each settled chunk.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stop_token>

#include "base/time.hpp"

namespace arca::flow {

// Thread-safe. Read count(), look at the world, then wait for a change of that count: no ring is missed.
class Doorbell {
 public:
  void ring();
  [[nodiscard]] std::uint64_t count() const;
  // Waits until the count differs from `seen`, the deadline passes, or stop is requested.
  void wait(std::uint64_t seen, base::SteadyTime deadline, const std::stop_token& stop = {});
  // Waits until the predicate holds, asking again after each ring; false if the deadline passed first. The
  // predicate is called without any lock of ours.
  bool wait_until(const std::function<bool()>& predicate, base::SteadyTime deadline);

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any rung_;
  std::uint64_t count_ = 0;  // protected by mutex_
};

}  // namespace arca::flow
