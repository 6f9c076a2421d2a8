// Places that nobody else can prepare for us: directories in shared parents such as /dev/shm, and symbolic links. Used
// for the state directory and for the pool.
#pragma once

#include <string>

#include "arca/result.hpp"

namespace arca::os {

// Makes the directory 0700 if it is not there (its parent must be), and refuses one that is a symbolic link, belongs
// to somebody else, or lets others in: ErrorCode::io, with the reason.
Result<void> make_private_directory(const std::string& path);

// Puts a symbolic link in place, instead of whatever link or file was there, in one step.
Result<void> replace_symlink(const std::string& target, const std::string& link_path);
// Where a symbolic link points; ErrorCode::not_found if there is no link.
Result<std::string> read_symlink(const std::string& link_path);

// The effective user, as it stands in names of shared places.
unsigned long user_id() noexcept;

}  // namespace arca::os
