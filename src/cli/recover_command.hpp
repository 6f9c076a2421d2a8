// `arca recover`: delivers what dead writers left. Used by command_list.cpp.
#pragma once

#include "cli/command.hpp"

namespace arca::cli {

std::unique_ptr<Command> make_recover_command();

}  // namespace arca::cli
