#include "os/thread.hpp"

#include <pthread.h>
#include <signal.h>

#include <exception>
#include <system_error>

#include "os/log.hpp"

namespace arca::os {
namespace {

// Threads inherit the mask of the one that starts them.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

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
