#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "os/file_system.hpp"

namespace arca::os {
namespace {

// What the reader of the message can do about it.
const char* advice(int reason) noexcept {
  switch (reason) {
    case ENOSPC:
      return "; free some space or choose another directory";
    case EDQUOT:
      return "; the user's disk quota is used up";
    case EACCES:
    case EPERM:
      return "; check owner and mode of the file and its directory";
    case EROFS:
      return "; the file system is mounted read-only";
    case EMFILE:
    case ENFILE:
      return "; raise the limit of open files";
    case ELOOP:
      return "; a symbolic link stands where a file must be";
    case EIO:
      return "; the device reports an error, see the kernel's log";
    case EFBIG:
      return "; the file is too large for the file system or the process's limit";
    default:
      return "";
  }
}

ErrorCode code_of(int reason) noexcept {
  switch (reason) {
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::not_found;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return ErrorCode::full;
    case EEXIST:
      return ErrorCode::busy;
    default:
      return ErrorCode::io;
  }
}

tl::unexpected<Error> io_failure(const char* what, const std::string& path, int reason) {
  std::array<char, 128> text{};
  const char* const message = ::strerror_r(reason, text.data(), text.size());
  return failure(code_of(reason), fmt::format("cannot {} {}: {}{}", what, path, message, advice(reason)));
}

template <class Call>
auto retry_interrupted(Call call) noexcept {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class PosixFile final : public File {
 public:
  PosixFile(int descriptor, std::string path) noexcept : descriptor_(descriptor), path_(std::move(path)) {}
  ~PosixFile() override { ::close(descriptor_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Result<std::size_t> read_at(std::uint64_t offset, base::MutableBytes target) override {
    std::size_t done = 0;
    while (done < target.size()) {
      const ssize_t count = retry_interrupted([&] {
        return ::pread(descriptor_, target.data() + done, target.size() - done, static_cast<off_t>(offset + done));
      });
      if (count < 0) return io_failure("read", path_, errno);
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

  Result<void> write_at(std::uint64_t offset, std::span<const base::Bytes> slices) override {
    std::vector<iovec> vectors;
    vectors.reserve(slices.size());
    std::uint64_t file_end = offset;
    for (const base::Bytes slice : slices) {
      if (slice.empty()) continue;
      file_end += slice.size();
      vectors.push_back({const_cast<std::byte*>(slice.data()), slice.size()});
    }
    if (file_end > file_size_limit()) return io_failure("write", path_, EFBIG);
    iovec* at = vectors.data();
    iovec* const end = at + vectors.size();
    while (at != end) {
      const auto count = static_cast<int>(std::min<std::ptrdiff_t>(end - at, 1024));  // IOV_MAX on Linux
      const ssize_t written =
          retry_interrupted([&] { return ::pwritev(descriptor_, at, count, static_cast<off_t>(offset)); });
      if (written < 0) return io_failure("write", path_, errno);
      if (written == 0) return io_failure("write", path_, ENOSPC);
      offset += static_cast<std::uint64_t>(written);
      at = skip(at, static_cast<std::size_t>(written));
    }
    return {};
  }

  Result<void> sync() override {
    if (retry_interrupted([&] { return ::fdatasync(descriptor_); }) != 0) return io_failure("sync", path_, errno);
    return {};
  }

  Result<std::uint64_t> size() override {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) return io_failure("stat", path_, errno);
    return static_cast<std::uint64_t>(status.st_size);
  }

  Result<void> truncate(std::uint64_t size) override {
    if (const auto present = this->size(); present && size > *present && size > file_size_limit()) {
      return io_failure("truncate", path_, EFBIG);
    }
    if (retry_interrupted([&] { return ::ftruncate(descriptor_, static_cast<off_t>(size)); }) != 0) {
      return io_failure("truncate", path_, errno);
    }
    return {};
  }

  Result<void> allocate(std::uint64_t offset, std::uint64_t size) override {
    if (offset + size > file_size_limit()) return io_failure("reserve space in", path_, EFBIG);
    int reason = EINTR;
    while (reason == EINTR) {
      reason = ::posix_fallocate(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(size));
    }
    if (reason != 0) return io_failure("reserve space in", path_, reason);
    return {};
  }

 private:
  // After a short write: drops the slices that are out and shortens the one that is partly out.
  static iovec* skip(iovec* at, std::size_t written) noexcept {
    while (written > 0 && written >= at->iov_len) {
      written -= at->iov_len;
      ++at;
    }
    if (written > 0) {
      at->iov_base = static_cast<std::byte*>(at->iov_base) + written;
      at->iov_len -= written;
    }
    return at;
  }

  int descriptor_;
  std::string path_;
};

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC | O_NOFOLLOW;
    if (mode == OpenMode::read) flags |= O_RDONLY | O_NONBLOCK;  // a FIFO in the way must not hang us
    if (mode == OpenMode::read_write) flags |= O_RDWR;
    if (mode == OpenMode::create_new) flags |= O_RDWR | O_CREAT | O_EXCL;
    const int descriptor = retry_interrupted([&] { return ::open(path.c_str(), flags, 0600); });
    if (descriptor < 0) return io_failure(mode == OpenMode::create_new ? "create" : "open", path, errno);
    auto file = std::make_unique<PosixFile>(descriptor, path);
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) return io_failure("stat", path, errno);
    if (!S_ISREG(status.st_mode)) return failure(ErrorCode::io, fmt::format("{} is not a regular file", path));
    return file;
  }

  Result<void> make_directories(const std::string& path) override {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
      const std::string part = path.substr(0, end);
      if (::mkdir(part.c_str(), 0700) == 0) {
        // Or a power loss takes the name, and with it all that is synced below. Where the parent cannot be opened
        // there is nothing more that we could do.
        static_cast<void>(sync_directory(part.substr(0, std::max<std::size_t>(part.rfind('/'), 1))));
      } else if (errno != EEXIST) {
        const int reason = errno;
        struct stat status {};  // on a read-only root, mkdir of an existing directory may answer EROFS
        if (::stat(part.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
          return io_failure("create directory", part, reason);
        }
      }
      if (end == std::string::npos) break;
    }
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return io_failure("stat", path, errno);
    if (!S_ISDIR(status.st_mode)) return failure(ErrorCode::io, fmt::format("{} is not a directory", path));
    return {};
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    DIR* const stream = ::opendir(directory.c_str());
    if (stream == nullptr) return io_failure("list", directory, errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* const entry = ::readdir(stream)) {
      const std::string_view name(static_cast<const char*>(entry->d_name));
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    const int reason = errno;
    ::closedir(stream);
    if (reason != 0) return io_failure("list", directory, reason);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return io_failure("remove", path, errno);
    return {};
  }

  Result<void> remove_directory(const std::string& path) override {
    if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return io_failure("remove directory", path, errno);
    return {};
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return io_failure("rename", from + " to " + to, errno);
    return {};
  }

  Result<void> sync_directory(const std::string& path) override {
    const int descriptor = retry_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (descriptor < 0) return io_failure("open directory", path, errno);
    const int result = retry_interrupted([&] { return ::fsync(descriptor); });
    const int reason = errno;
    ::close(descriptor);
    // Some file systems cannot sync a directory and say EINVAL: there is nothing more that we could do.
    if (result != 0 && reason != EINVAL) return io_failure("sync directory", path, reason);
    return {};
  }

  Result<std::uint64_t> free_bytes(const std::string& path) override {
    struct statvfs status {};
    if (retry_interrupted([&] { return ::statvfs(path.c_str(), &status); }) != 0) {
      return io_failure("ask for the free space of", path, errno);
    }
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  }

  bool exists(const std::string& path) noexcept override {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0;
  }
};

}  // namespace

FileSystem& posix_file_system() {
  static PosixFileSystem* const instance = new PosixFileSystem;  // outlives static objects that still use it
  return *instance;
}

Result<void> check_readable(const std::string& path) {
  const int descriptor = retry_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); });
  if (descriptor < 0) return io_failure("read", path, errno);
  struct stat status {};
  const bool is_file = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  ::close(descriptor);
  if (!is_file) return failure(ErrorCode::io, fmt::format("{} is not a regular file", path));
  return {};
}

std::uint64_t file_size_limit() noexcept {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
  return limit.rlim_cur;
}

namespace {
// Made when the library is loaded: a thread that is just making it while another one forks would leave the child
// waiting for ever for somebody who does not exist there.
[[maybe_unused]] const FileSystem& file_system_at_load = posix_file_system();
}  // namespace

}  // namespace arca::os
