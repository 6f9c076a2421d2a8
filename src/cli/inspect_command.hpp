// `arca inspect`: a read-only magnifying glass. Used by command_list.cpp.
#pragma once

#include "cli/command.hpp"

namespace arca::cli {

std::unique_ptr<Command> make_inspect_command();

}  // namespace arca::cli
