// Ownership of a directory by a live process. The kernel drops the lock with its owner (flock); a forked
// child cannot keep it alive: the descriptor is close-on-exec and closed in the child's fork handler.
// A lock that can be taken therefore means that the owner is dead.
#pragma once

#include <memory>
#include <string>

#include "arca/result.hpp"

namespace arca::os {

// Not thread-safe. Releases in the destructor.
class LockFile {
 public:
  // Creates the file if needed and takes it without waiting; ErrorCode::busy while somebody else has it.
  static Result<std::unique_ptr<LockFile>> acquire(const std::string& path);
  // Whether a live process holds the file now. Takes nothing.
  static bool is_held(const std::string& path) noexcept;

  ~LockFile();
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

 private:
  explicit LockFile(int descriptor) noexcept;
  int descriptor_;
};

}  // namespace arca::os
