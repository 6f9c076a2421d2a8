#include "flow/doorbell.hpp"

#include <chrono>

namespace arca::flow {

void Doorbell::ring() {
  {
    const std::lock_guard lock(mutex_);
    ++count_;
  }
  rung_.notify_all();
}

std::uint64_t Doorbell::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

void Doorbell::wait(std::uint64_t seen, base::SteadyTime deadline, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const auto rung = [&] { return count_ != seen; };
  if (deadline == base::never) {
    rung_.wait(lock, stop, rung);
  } else {
    rung_.wait_until(lock, stop, deadline, rung);
  }
}

bool Doorbell::wait_until(const std::function<bool()>& predicate, base::SteadyTime deadline) {
  for (;;) {
    const std::uint64_t seen = count();
    if (predicate()) return true;
    std::unique_lock lock(mutex_);
    if (!rung_.wait_until(lock, deadline, [&] { return count_ != seen; })) {
      lock.unlock();
      return predicate();
    }
  }
}

}  // namespace arca::flow
