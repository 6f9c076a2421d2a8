// Console: what a command says to people and scripts. Reports go to standard output, errors and progress to
// standard error; colour and the rewritten progress line appear on a terminal only. Errors, notes and progress may
// repeat what others said: control characters are shown, not obeyed. Used by every command.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>

#include "cli/exit_codes.hpp"
#include "os/clock.hpp"

namespace arca::cli {

// Not thread-safe: one thread talks.
class Console {
 public:
  Console(std::ostream& out, std::ostream& err, bool out_is_terminal, bool err_is_terminal) noexcept;
  // With a clock of its own; it outlives the console.
  Console(std::ostream& out, std::ostream& err, bool out_is_terminal, bool err_is_terminal, os::Clock& clock) noexcept
      : out_(out), err_(err), out_is_terminal_(out_is_terminal), err_is_terminal_(err_is_terminal), clock_(clock) {}
  // Standard output and error of this process.
  static Console standard();

  // Writes a report line or block; a line end is added if there is none.
  void print(std::string_view text);
  // Says what failed, why, and what the reader can do about it ("" if nothing), and returns the code.
  int error(std::string_view what, std::string_view why, std::string_view remedy, ExitCode code);
  // Says something worth knowing that is no failure.
  void note(std::string_view text);

  // Shows how far the work is: rewrites one line on a terminal; elsewhere prints a line of its own, if it says
  // something new and the last one is some seconds old.
  void progress(std::string_view what);
  // Ends the progress line, so that the next output begins on a fresh one.
  void end_progress();

  [[nodiscard]] bool out_is_terminal() const noexcept { return out_is_terminal_; }
  // The text in a warning colour, or unchanged when standard output is no terminal.
  [[nodiscard]] std::string alarm(std::string_view text) const;
  [[nodiscard]] std::string strong(std::string_view text) const;

 private:
  std::ostream& out_;
  std::ostream& err_;
  bool out_is_terminal_;
  bool err_is_terminal_;
  os::Clock& clock_;
  std::string last_progress_;  // where there is no terminal
  base::SteadyTime next_progress_line_at_{};
  std::size_t progress_width_ = 0;  // columns of the progress line that stands there now
};

}  // namespace arca::cli
