// The texts of `arca query`. Used by query_command.cpp.
#pragma once

#include "cli/command.hpp"

namespace arca::cli::query {

const CommandText& query_text();

}  // namespace arca::cli::query
