// Waiting for something that another thread or process does: a condition and a deadline, never a fixed time. Used by
// all tests that start processes.
#pragma once

#include <chrono>
#include <thread>

namespace arca::support {

// Asks `condition` every few milliseconds until it is true or `timeout` has passed; returns its last answer.
template <class Condition>
bool wait_until(Condition condition, std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return condition();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace arca::support
