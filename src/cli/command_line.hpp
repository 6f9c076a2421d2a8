// The command line as a whole: picks the command, parses its options, prints help, runs. Used by main and by tests.
#pragma once

#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/console.hpp"

namespace arca::cli {

// Runs `arca <arguments...>` (without the program's own name) and returns the exit code. Never throws.
int run_command_line(const std::vector<std::string>& arguments, Console& console) noexcept;
// The same over other commands than those of the program; for tests.
int run_command_line(const CommandList& commands, const std::vector<std::string>& arguments, Console& console);

}  // namespace arca::cli
