#include "cli/console.hpp"

#include <unistd.h>

#include <iostream>

namespace arca::cli {

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
  err_ << "arca: " << what;
  if (!why.empty()) err_ << ": " << why;
  err_ << '\n';
  if (!remedy.empty()) err_ << "  " << remedy << '\n';
  err_.flush();
  return to_int(code);
}

void Console::note(std::string_view text) {
  end_progress();
  err_ << "arca: " << text << '\n';
  err_.flush();
}

void Console::progress(std::string_view text) {
  if (!err_is_terminal_) {
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
