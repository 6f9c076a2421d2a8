#include "os/private_directory.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include "os/random.hpp"

namespace arca::os {
namespace {

tl::unexpected<Error> refused(const char* what, const std::string& path, int reason) {
  const ErrorCode code = reason == ENOENT || reason == EINVAL ? ErrorCode::not_found : ErrorCode::io;
  return failure(code, fmt::format("cannot {} {}: {}", what, path, std::strerror(reason)));
}

}  // namespace

Result<void> make_private_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return refused("create directory", path, errno);
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return refused("stat", path, errno);
  if (!S_ISDIR(status.st_mode)) {
    return failure(ErrorCode::io, fmt::format("{} is not a directory (a symbolic link is not followed)", path));
  }
  if (status.st_uid != ::geteuid()) {
    return failure(ErrorCode::io, fmt::format("{} belongs to user {}, not to {}", path, status.st_uid, ::geteuid()));
  }
  if ((status.st_mode & 0077U) != 0) {
    return failure(ErrorCode::io,
                   fmt::format("{} can be entered by others (mode {:o}); make it 0700", path, status.st_mode & 07777U));
  }
  return {};
}

Result<void> replace_symlink(const std::string& target, const std::string& link_path) {
  const std::string fresh = fmt::format("{}.{:x}", link_path, random_from_kernel());
  if (::symlink(target.c_str(), fresh.c_str()) != 0) return refused("create link", fresh, errno);
  if (::rename(fresh.c_str(), link_path.c_str()) != 0) {
    const int reason = errno;
    ::unlink(fresh.c_str());
    return refused("create link", link_path, reason);
  }
  return {};
}

Result<std::string> read_symlink(const std::string& link_path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlink(link_path.c_str(), target.data(), target.size());
  if (size < 0) return refused("read link", link_path, errno);
  return std::string(target.data(), static_cast<std::size_t>(size));
}

unsigned long user_id() noexcept { return ::geteuid(); }

}  // namespace arca::os
