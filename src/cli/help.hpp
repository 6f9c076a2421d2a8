// The texts of a command as help on a terminal and as a man page: two renderings of one source, so that
// they cannot disagree. Used by command_line.cpp and docs_command.cpp.
#pragma once

#include <string>

#include "cli/command.hpp"

namespace arca::cli {

std::string program_help(const CommandList& commands);
// `options` is the CLI11 object on which the command has registered its options.
std::string command_help(const CommandText& text, const CLI::App& options);

// troff, section 1.
std::string program_man_page(const CommandList& commands);
std::string command_man_page(const CommandText& text, const CLI::App& options);

}  // namespace arca::cli
