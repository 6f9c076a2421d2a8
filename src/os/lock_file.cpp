#include "os/lock_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace arca::os {
namespace {

struct flock whole_file(int type) noexcept {
  struct flock range {};
  range.l_type = static_cast<short>(type);
  range.l_whence = SEEK_SET;
  return range;
}

int open_lock(const char* path, int flags) noexcept {
  int descriptor = -1;
  do {
    descriptor = ::open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

// Between open and lock somebody may have removed the directory: then we hold a file that nobody else can find.
bool is_still_there(int descriptor, const char* path) noexcept {
  struct stat held {};
  struct stat named {};
  return ::fstat(descriptor, &held) == 0 && ::lstat(path, &named) == 0 && held.st_dev == named.st_dev &&
         held.st_ino == named.st_ino;
}

}  // namespace

Result<std::unique_ptr<LockFile>> LockFile::acquire(const std::string& path) { return take(path, O_CREAT); }

Result<std::unique_ptr<LockFile>> LockFile::acquire_existing(const std::string& path) { return take(path, 0); }

Result<std::unique_ptr<LockFile>> LockFile::take(const std::string& path, int flags) {
  std::unique_ptr<LockFile> lock(new LockFile());
  subscribe_to_fork(*lock);  // before the descriptor exists, so that no child can inherit it unnoticed
  const ForkHold hold;
  const int descriptor = open_lock(path.c_str(), O_RDWR | flags);
  if (descriptor < 0) {
    const int reason = errno;
    return failure(
        reason == ENOENT ? ErrorCode::not_found : ErrorCode::io,
        fmt::format("cannot open the lock file {}: {}; check that the directory exists and belongs to this user", path,
                    std::strerror(reason)));
  }
  struct flock range = whole_file(F_WRLCK);
  if (::fcntl(descriptor, F_OFD_SETLK, &range) != 0) {
    const int reason = errno;
    ::close(descriptor);
    if (reason == EAGAIN || reason == EACCES) {
      return failure(ErrorCode::busy, fmt::format("{} is held by a live process", path));
    }
    return failure(ErrorCode::io,
                   fmt::format("cannot lock {}: {}; the file system must support locks", path, std::strerror(reason)));
  }
  if (!is_still_there(descriptor, path.c_str())) {
    ::close(descriptor);
    return failure(ErrorCode::not_found, fmt::format("{} was removed while it was being taken", path));
  }
  lock->descriptor_ = descriptor;
  return lock;
}

// Holds the fork only while it asks, so that a fork elsewhere never waits for another process.
Result<std::unique_ptr<LockFile>> LockFile::acquire_waiting(const std::string& path) {
  constexpr int turns_max = 1000;
  for (int turn = 1;; ++turn) {
    Result<std::unique_ptr<LockFile>> lock = acquire(path);
    if (lock || lock.error().code() != ErrorCode::busy || turn == turns_max) return lock;
    ::usleep(1000);
  }
}

bool LockFile::is_held(const std::string& path) noexcept {
  const ForkHold hold;
  const int descriptor = open_lock(path.c_str(), O_RDONLY);
  if (descriptor < 0) return false;
  struct flock range = whole_file(F_WRLCK);
  const bool held = ::fcntl(descriptor, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
  ::close(descriptor);
  return held;
}

LockFile::~LockFile() {
  unsubscribe_from_fork(*this);
  if (descriptor_ < 0) return;
  // Closing would do, were there not the moment in which a child just forked still has its copy.
  struct flock range = whole_file(F_UNLCK);
  ::fcntl(descriptor_, F_OFD_SETLK, &range);
  ::close(descriptor_);
}

// Closing the child's copy does not release the lock: the parent's copy of the description stays open.
void LockFile::after_fork_in_child() noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

}  // namespace arca::os
