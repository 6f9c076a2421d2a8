#include "cli/command_line.hpp"

#include <CLI/CLI.hpp>
#include <exception>

#include "arca/version.hpp"
#include "cli/help.hpp"

namespace arca::cli {

namespace {

int usage_error(Console& console, const std::string& what, const std::string& why, const std::string& help) {
  return console.error(what, why, "Run `" + help + "` to see what is allowed.", ExitCode::usage);
}

int run_command(Command& command, std::vector<std::string> arguments, Console& console) {
  const std::string name(command.text().name);
  CLI::App options(std::string(command.text().summary), "arca " + name);
  options.set_help_flag("-h,--help", "Shows this help");
  command.add_options(options);
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    options.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    console.print(command_help(command.text(), options));
    return to_int(ExitCode::ok);
  } catch (const CLI::ParseError& error) {
    return usage_error(console, name, error.what(), "arca " + name + " --help");
  }
  return command.run(console);
}

}  // namespace

int run_command_line(const CommandList& commands, const std::vector<std::string>& arguments, Console& console) {
  if (arguments.empty()) {
    console.print(program_help(commands));
    return to_int(ExitCode::usage);
  }
  const std::string& first = arguments.front();
  if (first == "--help" || first == "-h" || first == "help") {
    console.print(program_help(commands));
    return to_int(ExitCode::ok);
  }
  if (first == "--version") {
    console.print("arca " ARCA_VERSION);
    return to_int(ExitCode::ok);
  }
  for (const auto& command : commands) {
    if (command->text().name == first) {
      return run_command(*command, {arguments.begin() + 1, arguments.end()}, console);
    }
  }
  return usage_error(console, "'" + first + "' is no command", "", "arca --help");
}

int run_command_line(const std::vector<std::string>& arguments, Console& console) noexcept {
  try {
    return run_command_line(make_commands(), arguments, console);
  } catch (const std::exception& error) {
    return console.error("internal error", error.what(), "This is a mistake in arca; please report it.",
                         ExitCode::failure);
  }
}

}  // namespace arca::cli
