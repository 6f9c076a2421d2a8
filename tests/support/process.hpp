// A child process of a test: started with arguments and environment, signalled, waited for. Used by support::Collector,
// the crash harness and the tests of the program. The child dies with the test, also when the test itself is killed.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arca/result.hpp"

namespace arca::support {

struct ProcessOptions {
  std::map<std::string, std::string> environment{};  // added to the test's own; an empty value removes the variable
  std::string output_path{};                         // stdout and stderr, appended; empty: the test's own
  std::string working_directory{};
  int input_descriptor = -1;   // becomes its standard input; stays open here; -1: the test's own
  int answer_descriptor = -1;  // becomes its standard output, in place of the above
};

// How a process ended.
struct ExitStatus {
  int code = 0;    // of exit(), when signal == 0
  int signal = 0;  // that ended it, or 0
  bool operator==(const ExitStatus&) const = default;
};

// Not thread-safe: one test thread. Kills the child in the destructor.
class Process {
 public:
  // The first argument is the program: a path, or a name to be found on PATH.
  static Result<std::unique_ptr<Process>> start(const std::vector<std::string>& arguments,
                                                const ProcessOptions& options = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  bool is_alive();
  // Sends the signal if the process is still alive.
  void send_signal(int signal);
  // SIGSTOP, and waits until every thread of the child has stopped. SIGCONT ends it.
  void pause();
  // Waits for its end; nothing when it is still alive after `timeout`.
  std::optional<ExitStatus> wait(std::chrono::milliseconds timeout = std::chrono::seconds(20));

 private:
  explicit Process(pid_t pid) noexcept : pid_(pid) {}
  void reap(int flags);

  pid_t pid_;
  std::optional<ExitStatus> exit_status_;
};

// Runs a command to its end; its output when it exits with 0, else ErrorCode::io with that output in the message.
Result<std::string> run_command(const std::vector<std::string>& arguments, const ProcessOptions& options = {});

// A TCP port of 127.0.0.1 on which nobody listens. Below the range from which the kernel takes the local ports of
// clients: there, a client that retries while nobody listens may in the end connect to itself.
int free_port();

}  // namespace arca::support
