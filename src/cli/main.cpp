// The program `arca`: everything is in command_line.cpp, so that tests can call it.
#include "cli/command_line.hpp"

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + 1, values + count);
  arca::cli::Console console = arca::cli::Console::standard();
  return arca::cli::run_command_line(arguments, console);
}
