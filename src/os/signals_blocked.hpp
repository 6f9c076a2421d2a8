// Keeps the host's signal handlers off our threads. Used where threads are started, by us or by other people's code on
// our behalf.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace arca::os {

// While one lives, the calling thread takes no signals, and neither does any thread that it starts: threads inherit the
// mask of the one that starts them.
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

}  // namespace arca::os
