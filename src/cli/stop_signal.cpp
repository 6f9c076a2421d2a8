#include "cli/stop_signal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

#include "base/check.hpp"

namespace arca::cli {

namespace {

// A signal handler can reach nothing but statics; hence one StopSignal at a time.
std::atomic<bool> stop_requested{false};
std::atomic<bool> report_requested{false};
std::array<int, 2> pipe_ends{-1, -1};
constexpr std::array handled_signals{SIGINT, SIGTERM, SIGUSR1};
std::array<struct sigaction, handled_signals.size()> former_actions;

void on_signal(int number) {
  const int saved_errno = errno;
  if (number == SIGUSR1) {
    report_requested.store(true);
  } else {
    stop_requested.store(true);
    std::signal(number, SIG_DFL);  // the next one is for the impatient
  }
  const char byte = 1;
  [[maybe_unused]] const ssize_t written = write(pipe_ends[1], &byte, 1);
  errno = saved_errno;
}

}  // namespace

StopSignal::StopSignal() {
  ARCA_CHECK(pipe_ends[0] < 0);
  ARCA_CHECK(pipe2(pipe_ends.data(), O_NONBLOCK | O_CLOEXEC) == 0);
  stop_requested.store(false);
  report_requested.store(false);
  struct sigaction action {};
  action.sa_handler = &on_signal;
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < handled_signals.size(); ++i) sigaction(handled_signals[i], &action, &former_actions[i]);
}

StopSignal::~StopSignal() {
  for (std::size_t i = 0; i < handled_signals.size(); ++i) sigaction(handled_signals[i], &former_actions[i], nullptr);
  for (int& end : pipe_ends) {
    close(end);
    end = -1;
  }
}

bool StopSignal::requested() const noexcept { return stop_requested.load(); }

bool StopSignal::take_report_request() noexcept { return report_requested.exchange(false); }

int StopSignal::descriptor() const noexcept { return pipe_ends[0]; }

void StopSignal::drain() noexcept {
  std::array<char, 64> bytes;
  while (read(pipe_ends[0], bytes.data(), bytes.size()) > 0) {
  }
}

bool StopSignal::wait(base::Duration at_most) noexcept {
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(std::max(at_most, base::Duration::zero()));
  pollfd wanted{pipe_ends[0], POLLIN, 0};
  if (!requested()) poll(&wanted, 1, static_cast<int>(millis.count()));
  drain();
  return requested();
}

}  // namespace arca::cli
