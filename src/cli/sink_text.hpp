// The texts of `arca sink`. Used by sink_command.cpp.
#pragma once

#include "cli/command.hpp"

namespace arca::cli {

const CommandText& sink_text();

}  // namespace arca::cli
