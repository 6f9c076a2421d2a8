#include "cli/console.hpp"

#include <unistd.h>

#include <iostream>

#include "cli/terminal_text.hpp"

namespace arca::cli {

namespace {
constexpr base::Duration progress_line_interval = std::chrono::seconds(5);

os::Clock& system_clock() {
  static os::SystemClock clock;
  return clock;
}
}  // namespace

Console::Console(std::ostream& out, std::ostream& err, bool out_is_terminal, bool err_is_terminal) noexcept
    : Console(out, err, out_is_terminal, err_is_terminal, system_clock()) {}

Console Console::standard() {
  return Console(std::cout, std::cerr, isatty(STDOUT_FILENO) == 1, isatty(STDERR_FILENO) == 1);
}

void Console::print(std::string_view text) {
  end_progress();
  out_ << text;
  if (!text.ends_with('\n')) out_ << '\n';
  out_.flush();
}

int Console::error(std::string_view what, std::string_view why, std::string_view remedy, ExitCode code) {
  end_progress();
  err_ << "arca: " << printable_lines(what);
  if (!why.empty()) err_ << ": " << printable_lines(why);
  err_ << '\n';
  if (!remedy.empty()) err_ << "  " << printable_lines(remedy) << '\n';
  err_.flush();
  return to_int(code);
}

void Console::note(std::string_view text) {
  end_progress();
  err_ << "arca: " << printable_lines(text) << '\n';
  err_.flush();
}

void Console::progress(std::string_view what) {
  const std::string text = printable(what);
  if (!err_is_terminal_) {
    // In a log, a line now and then is enough, and none that says nothing new.
    const base::SteadyTime now = clock_.steady_now();
    if (text == last_progress_ || (!last_progress_.empty() && now < next_progress_line_at_)) return;
    last_progress_ = text;
    next_progress_line_at_ = now + progress_line_interval;
    err_ << text << '\n';
  } else {
    err_ << '\r' << text;
    for (std::size_t column = text.size(); column < progress_width_; ++column) err_ << ' ';
    progress_width_ = text.size();
  }
  err_.flush();
}

void Console::end_progress() {
  if (progress_width_ == 0) return;
  err_ << '\n';
  err_.flush();
  progress_width_ = 0;
}

std::string Console::alarm(std::string_view text) const {
  return out_is_terminal_ ? "\x1b[1;31m" + std::string(text) + "\x1b[0m" : std::string(text);
}

std::string Console::strong(std::string_view text) const {
  return out_is_terminal_ ? "\x1b[1m" + std::string(text) + "\x1b[0m" : std::string(text);
}

}  // namespace arca::cli
