// `arca schema`: the tables of the Cassandra tier as statements, created where they are missing, compared where they
// are.
#pragma once

#include "cli/command.hpp"

namespace arca::cli {

std::unique_ptr<Command> make_schema_command();

}  // namespace arca::cli
