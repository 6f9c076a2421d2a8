// The walks of `arca inspect`: through a pool, a segment, a journal, a ledger, a state directory. Read-only; damage is
// shown and stepped over. Used by inspect_command.cpp.
#pragma once

#include <string>

#include "arca/result.hpp"
#include "cli/inspect_output.hpp"
#include "os/file_system.hpp"

namespace arca::cli {

// Finds out what the path is and walks it. ErrorCode::not_found, io: it cannot be read at all; corrupt: it is
// none of our files.
Result<void> inspect_path(os::FileSystem& file_system, const std::string& path, InspectOutput& output);

Result<void> inspect_pool(const std::string& path, int depth, InspectOutput& output);
Result<void> inspect_segment(os::FileSystem& file_system, const std::string& path, int depth, InspectOutput& output);
Result<void> inspect_journal(os::FileSystem& file_system, const std::string& directory, int depth,
                             InspectOutput& output);

}  // namespace arca::cli
