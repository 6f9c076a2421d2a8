// Ownership of a directory by a live process. The kernel drops the lock with its owner (an open file description
// lock, which can be asked about without being taken); a forked
// child cannot keep it alive: the descriptor is close-on-exec and closed in the child's fork handler.
// A lock that can be taken therefore means that the owner is dead.
#pragma once

#include <memory>
#include <string>

#include "arca/result.hpp"
#include "os/fork.hpp"

namespace arca::os {

// Not thread-safe. Releases in the destructor; in a forked child it holds nothing.
class LockFile final : private ForkSubscriber {
 public:
  // Creates the file if needed and takes it without waiting; ErrorCode::busy while somebody else has it,
  // ErrorCode::not_found if the directory is gone (somebody has finished it).
  static Result<std::unique_ptr<LockFile>> acquire(const std::string& path);
  // The same for a file that must be there already; ErrorCode::not_found if it is not.
  static Result<std::unique_ptr<LockFile>> acquire_existing(const std::string& path);
  // As acquire(), but waits for the holder, a second at most: for locks that are held for moments. Whoever holds one
  // longer is stopped or hangs, and must not stop others with it.
  static Result<std::unique_ptr<LockFile>> acquire_waiting(const std::string& path);
  // Whether a live process holds the file now. Takes nothing.
  static bool is_held(const std::string& path) noexcept;

  ~LockFile() override;
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

 private:
  LockFile() = default;
  static Result<std::unique_ptr<LockFile>> take(const std::string& path, int flags);
  void after_fork_in_child() noexcept override;
  int descriptor_ = -1;
};

}  // namespace arca::os
