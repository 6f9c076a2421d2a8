// Command: one subcommand of the program. It carries its own texts, from which --help and the man page are both
// made, registers its options, and runs. Used by command_line.cpp and docs_command.cpp.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "cli/console.hpp"
#include "cli/exit_codes.hpp"

namespace CLI {
class App;
}

namespace arca::cli {

struct Example {
  std::string_view purpose;  // what it shows, one sentence
  std::string_view line;     // the command as typed
};

struct ExitNote {
  ExitCode code;
  std::string_view meaning;  // for this command; "" takes the general meaning
};

struct CommandText {
  std::string_view name;         // as typed: "sink"
  std::string_view summary;      // one line, no full stop
  std::string_view description;  // paragraphs, separated by an empty line; a line that begins with two blanks is kept
  std::vector<Example> examples;
  std::vector<ExitNote> exits;
  std::vector<std::string_view> see_also;  // other man pages: "arca-status(1)"
};

// Not thread-safe: made, configured and run once, by the main thread.
class Command {
 public:
  virtual ~Command() = default;
  [[nodiscard]] virtual const CommandText& text() const = 0;
  // Registers options and flags; their values are members of the command. Each has a description, and each
  // that has a default captures it (capture_default_str).
  virtual void add_options(CLI::App& app) = 0;
  // Does the work and returns the exit code of the process.
  virtual int run(Console& console) = 0;
};

using CommandList = std::vector<std::unique_ptr<Command>>;

// All commands of the program, in the order of the help. One line per command in command_list.cpp.
CommandList make_commands();

}  // namespace arca::cli
