// Runs somebody else's code with a deadline: the SDK's shutdown calls back into the application and joins threads, and
// neither keeps to time limits.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "base/time.hpp"

namespace arca::telemetry {

// Calls `work` on a thread of its own. False if it has not returned at the deadline; it then goes on alone, so it must
// own all it uses.
inline bool call_until(std::function<void()> work, base::SteadyTime deadline) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable done;
    bool is_done = false;
  };
  auto shared = std::make_shared<Shared>();
  std::thread([shared, work = std::move(work)] {
    work();
    const std::lock_guard lock(shared->mutex);
    shared->is_done = true;
    shared->done.notify_all();
  }).detach();
  std::unique_lock lock(shared->mutex);
  return shared->done.wait_until(lock, deadline, [&] { return shared->is_done; });
}

}  // namespace arca::telemetry
