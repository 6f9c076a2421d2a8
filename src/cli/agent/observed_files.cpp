#include "cli/agent/observed_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace arca::cli::agent {
namespace {

tl::unexpected<Error> io_failure(const std::string& path, int error) {
  const ErrorCode code = error == ENOENT || error == ENOTDIR || error == ESRCH ? ErrorCode::not_found : ErrorCode::io;
  return failure(code, path + ": " + std::strerror(error));
}

FileFacts to_facts(const struct stat& raw) {
  FileFacts facts;
  facts.identity = {static_cast<std::uint64_t>(raw.st_dev), static_cast<std::uint64_t>(raw.st_ino)};
  facts.size = raw.st_size < 0 ? 0 : static_cast<std::uint64_t>(raw.st_size);
  facts.regular = S_ISREG(raw.st_mode);
  return facts;
}

}  // namespace

Result<ObservedFile> ObservedFile::open(const std::string& path) {
  // Non-blocking: a fifo where a log was expected must not hold up the agent.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return io_failure(path, errno);
  return ObservedFile(descriptor);
}

ObservedFile::ObservedFile(ObservedFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

ObservedFile& ObservedFile::operator=(ObservedFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

ObservedFile::~ObservedFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<FileFacts> ObservedFile::facts() const {
  struct stat raw = {};
  if (::fstat(descriptor_, &raw) != 0) return io_failure("an open file", errno);
  return to_facts(raw);
}

Result<std::size_t> ObservedFile::read_at(std::uint64_t offset, std::size_t bytes_max, std::string& target) const {
  const std::size_t before = target.size();
  target.resize(before + bytes_max);
  ssize_t got = 0;
  do {
    got = ::pread(descriptor_, target.data() + before, bytes_max, static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  const int error = errno;
  target.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
  if (got < 0) return io_failure("an open file", error);
  return static_cast<std::size_t>(got);
}

Result<std::string> read_small_file(const std::string& path, std::size_t bytes_max) {
  auto file = ObservedFile::open(path);
  if (!file) return failure(file.error());
  std::string text;
  while (text.size() < bytes_max) {
    const auto got = file->read_at(text.size(), std::min<std::size_t>(bytes_max - text.size(), 16384), text);
    if (!got) return failure(got.error().with_context(path));
    if (*got == 0) break;
  }
  return text;
}

Result<FileFacts> look_at(const std::string& path) {
  struct stat raw = {};
  if (::stat(path.c_str(), &raw) != 0) return io_failure(path, errno);
  return to_facts(raw);
}

Result<std::vector<std::string>> list_names(const std::string& directory, std::size_t names_max) {
  struct Closer {
    void operator()(DIR* open) const { ::closedir(open); }
  };
  const std::unique_ptr<DIR, Closer> open(::opendir(directory.c_str()));
  if (!open) return io_failure(directory, errno);
  std::vector<std::string> names;
  while (names.size() < names_max) {
    const dirent* one = ::readdir(open.get());
    if (one == nullptr) break;
    const std::string name = one->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> expand_pattern(const std::string& pattern, std::size_t paths_max) {
  if (pattern.find_first_of("*?[") == std::string::npos) return {pattern};
  std::vector<std::string> paths;
  glob_t found = {};
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc && paths.size() < paths_max; ++i) paths.emplace_back(found.gl_pathv[i]);
  }
  ::globfree(&found);
  return paths;
}

std::optional<FilesystemSpace> filesystem_space(const std::string& mountpoint) {
  struct statvfs raw = {};
  if (::statvfs(mountpoint.c_str(), &raw) != 0 || raw.f_blocks == 0) return std::nullopt;
  return FilesystemSpace{raw.f_blocks * raw.f_frsize, raw.f_bfree * raw.f_frsize, raw.f_bavail * raw.f_frsize};
}

}  // namespace arca::cli::agent
