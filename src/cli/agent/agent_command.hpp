// `arca agent`: watches this host, log files and HTTP endpoints. Used by command_list.cpp.
#pragma once

#include <memory>

#include "cli/command.hpp"

namespace arca::cli {

std::unique_ptr<Command> make_agent_command();

}  // namespace arca::cli
