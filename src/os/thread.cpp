#include "os/thread.hpp"

#include <pthread.h>

#include <exception>
#include <system_error>

#include "os/log.hpp"
#include "os/signals_blocked.hpp"

namespace arca::os {
Result<std::jthread> start_thread(const std::string& name, std::function<void(std::stop_token)> body) {
  const AllSignalsBlocked blocked;
  try {
    return std::jthread([name = name.substr(0, 15), body = std::move(body)](std::stop_token stop) {
      pthread_setname_np(pthread_self(), name.c_str());
      try {
        body(std::move(stop));
      } catch (const std::exception& error) {
        log(LogLevel::error, "thread {} ended: {}", name, error.what());
      }
    });
  } catch (const std::system_error& error) {
    return failure(ErrorCode::unavailable,
                   "cannot start thread " + name + ": " + error.what() + "; raise the limit of processes and threads");
  }
}

}  // namespace arca::os
