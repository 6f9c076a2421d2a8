// `arca status`: the law, what is kept, and for how long that can go on. Used by command_list.cpp.
#pragma once

#include "cli/command.hpp"

namespace arca::cli {

std::unique_ptr<Command> make_status_command();

}  // namespace arca::cli
