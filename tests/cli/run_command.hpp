// Runs a command line inside the test, as the program would, and keeps what it said. Used by tests/cli/*_test.cpp.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "cli/command_line.hpp"

namespace arca::cli {

struct Outcome {
  int code;
  std::string out, err;
};

inline Outcome run(const std::vector<std::string>& arguments) {
  std::ostringstream out, err;
  Console console(out, err, false, false);
  const int code = run_command_line(arguments, console);
  return {code, out.str(), err.str()};
}

}  // namespace arca::cli
