// `arca sink`: see sink/sink_server.hpp.
#pragma once

#include "cli/command.hpp"

namespace arca::cli {

std::unique_ptr<Command> make_sink_command();

}  // namespace arca::cli
