// The state directory that a command works on: --state, else what the configuration says. Used by status, inspect and
// recover.
#pragma once

#include <string>

#include "arca/result.hpp"

namespace arca::cli {

// An absolute path. `option` is "" when the command line named none.
Result<std::string> resolve_state_directory(const std::string& option);

}  // namespace arca::cli
