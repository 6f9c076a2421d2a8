// The texts of `arca agent`, for --help and the man page.
#pragma once

#include "cli/command.hpp"

namespace arca::cli {

const CommandText& agent_text();

}  // namespace arca::cli
