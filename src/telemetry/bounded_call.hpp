// Runs somebody else's code with a deadline: the SDK's shutdown calls back into the application and joins threads, and
// neither keeps to time limits.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "base/time.hpp"
#include "os/thread.hpp"

namespace arca::telemetry {

// Calls `work` on a thread of its own. False if it has not returned at the deadline; it then goes on alone, so it must
// own all it uses. False also where the system gives no thread: then it is not called, and what it owns stays for good,
// because to destroy that here could wait for ever.
inline bool call_until(std::function<void()> work, base::SteadyTime deadline) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable done;
    bool is_done = false;
  };
  auto shared = std::make_shared<Shared>();
  auto* const kept = new std::function<void()>(std::move(work));
  auto thread = os::start_thread("arca-call", [shared, kept](const std::stop_token&) {
    (*kept)();
    delete kept;
    const std::lock_guard lock(shared->mutex);
    shared->is_done = true;
    shared->done.notify_all();
  });
  if (!thread) return false;
  thread->detach();
  std::unique_lock lock(shared->mutex);
  return shared->done.wait_until(lock, deadline, [&] { return shared->is_done; });
}

}  // namespace arca::telemetry
