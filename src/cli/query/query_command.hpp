// `arca query`: looks at what was saved. Used by command_list.cpp.
#pragma once

#include "cli/command.hpp"

namespace arca::cli {

std::unique_ptr<Command> make_query_command();

}  // namespace arca::cli
