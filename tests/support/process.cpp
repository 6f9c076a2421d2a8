#include "support/process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>

#include "support/temporary_directory.hpp"
#include "support/wait.hpp"

namespace arca::support {
namespace {

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!changes.contains(text.substr(0, text.find('=')))) result.push_back(text);
  }
  for (const auto& [name, value] : changes) {
    if (!value.empty()) result.push_back(name + "=" + value);
  }
  return result;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (auto& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// Between fork and exec: only async-signal-safe calls. Reports the errno of a failed exec through `report`.
[[noreturn]] void become(char** arguments, char** environment, int output, const ProcessOptions& options, pid_t parent,
                         int report) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // the test died before the line above
  bool ready = true;
  if (output >= 0) ready = ::dup2(output, 1) >= 0 && ::dup2(output, 2) >= 0;
  if (ready && options.input_descriptor >= 0) ready = ::dup2(options.input_descriptor, 0) >= 0;
  if (ready && options.answer_descriptor >= 0) ready = ::dup2(options.answer_descriptor, 1) >= 0;
  if (ready && !options.working_directory.empty()) ready = ::chdir(options.working_directory.c_str()) == 0;
  if (ready) ::execvpe(arguments[0], arguments, environment);
  const int error = errno;
  (void)!::write(report, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

Result<std::unique_ptr<Process>> Process::start(const std::vector<std::string>& arguments,
                                                const ProcessOptions& options) {
  auto argument_texts = arguments;
  auto environment_texts = merged_environment(options.environment);
  const auto argument_pointers = pointers_to(argument_texts);
  const auto environment_pointers = pointers_to(environment_texts);
  int output = -1;
  if (!options.output_path.empty()) {
    output = ::open(options.output_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (output < 0) return failure(ErrorCode::io, options.output_path + ": " + std::strerror(errno));
  }
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) return failure(ErrorCode::io, std::strerror(errno));
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    become(const_cast<char**>(argument_pointers.data()), const_cast<char**>(environment_pointers.data()), output,
           options, parent, report[1]);
  }
  ::close(report[1]);
  if (output >= 0) ::close(output);
  int error = pid < 0 ? errno : 0;
  if (pid > 0) {
    std::unique_ptr<Process> process(new Process(pid));
    // The pipe closes by itself when exec succeeds.
    const bool exec_failed = ::read(report[0], &error, sizeof error) == static_cast<ssize_t>(sizeof error);
    ::close(report[0]);
    if (!exec_failed) return process;
  } else {
    ::close(report[0]);
  }
  return failure(error == ENOENT ? ErrorCode::not_found : ErrorCode::io,
                 fmt::format("cannot start {}: {}", arguments.front(), std::strerror(error)));
}

Process::~Process() {
  send_signal(SIGKILL);
  if (!exit_status_) reap(0);
}

void Process::reap(int flags) {
  int status = 0;
  pid_t reaped = 0;
  do {
    reaped = ::waitpid(pid_, &status, flags);
  } while (reaped < 0 && errno == EINTR);
  if (reaped != pid_) return;
  exit_status_ = WIFSIGNALED(status) ? ExitStatus{0, WTERMSIG(status)} : ExitStatus{WEXITSTATUS(status), 0};
}

bool Process::is_alive() {
  if (!exit_status_) reap(WNOHANG);
  return !exit_status_;
}

void Process::send_signal(int signal) {
  if (is_alive()) ::kill(pid_, signal);  // not yet reaped, so the pid still is this child's
}

void Process::pause() {
  send_signal(SIGSTOP);
  if (exit_status_) return;
  siginfo_t information{};
  // WNOWAIT: an end instead of a stop is left for reap().
  while (::waitid(P_PID, static_cast<id_t>(pid_), &information, WSTOPPED | WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
}

std::optional<ExitStatus> Process::wait(std::chrono::milliseconds timeout) {
  wait_until([&] { return !is_alive(); }, timeout);
  return exit_status_;
}

Result<std::string> run_command(const std::vector<std::string>& arguments, const ProcessOptions& options) {
  const TemporaryDirectory directory;
  ProcessOptions captured = options;
  if (captured.output_path.empty()) captured.output_path = directory.path() + "/output";
  auto process = Process::start(arguments, captured);
  if (!process) return failure(process.error());
  const auto status = (*process)->wait(std::chrono::minutes(10));
  std::ostringstream text;
  text << std::ifstream(captured.output_path).rdbuf();
  if (status == ExitStatus{}) return text.str();
  return failure(ErrorCode::io, fmt::format("{} ended with code {}, signal {}: {}", arguments.front(),
                                            status ? status->code : -1, status ? status->signal : -1, text.str()));
}

int free_port() {
  static std::mt19937 generator{std::random_device{}()};
  std::uniform_int_distribution<int> candidates(12000, 31999);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const int port = candidates(generator);
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool is_free = ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(listener);
    if (is_free) return port;
  }
  return 0;  // the caller's bind will say so
}

}  // namespace arca::support
