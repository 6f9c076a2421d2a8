// StopSignal: SIGINT, SIGTERM and SIGUSR1 as events that a loop can wait for. Used by commands that run until told
// to stop.
#pragma once

#include "base/time.hpp"

namespace arca::cli {

// Thread-safe to read. One at a time in a process; installs its handlers in the constructor, restores the
// former ones in the destructor. A second SIGINT or SIGTERM ends the process at once, by the default action.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // Whether SIGINT or SIGTERM has come.
  [[nodiscard]] bool requested() const noexcept;
  // Whether SIGUSR1 has come since the last call.
  bool take_report_request() noexcept;
  // Becomes readable when a signal comes; read it empty with drain().
  [[nodiscard]] int descriptor() const noexcept;
  void drain() noexcept;
  // Waits until a signal comes or the time has passed; returns requested().
  bool wait(base::Duration at_most) noexcept;
};

}  // namespace arca::cli
