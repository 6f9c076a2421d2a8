// The agent's door to files that belong to others: /proc and the logs that it follows. os::FileSystem is the
// door to our own state and refuses symlinks and knows no inodes; here both are needed, and nothing is
// ever written. Used by HostReader and LogFollower; tests point them at directories of their own.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arca/result.hpp"

namespace arca::cli::agent {

// What a file is, whatever it is called now.
struct FileIdentity {
  std::uint64_t device = 0, inode = 0;
  auto operator<=>(const FileIdentity&) const = default;
};

struct FileFacts {
  FileIdentity identity;
  std::uint64_t size = 0;
  bool regular = false;
};

// A file opened for reading; keeps it readable after it was renamed or removed. Not thread-safe: one reader.
class ObservedFile {
 public:
  static Result<ObservedFile> open(const std::string& path);
  ObservedFile(ObservedFile&& other) noexcept;
  ObservedFile& operator=(ObservedFile&& other) noexcept;
  ~ObservedFile();

  [[nodiscard]] Result<FileFacts> facts() const;
  // Appends up to `bytes_max` bytes from `offset` to `target`; how many, 0 at the end.
  Result<std::size_t> read_at(std::uint64_t offset, std::size_t bytes_max, std::string& target) const;

 private:
  explicit ObservedFile(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

// Reads a small file from its start; more than `bytes_max` is cut off.
Result<std::string> read_small_file(const std::string& path, std::size_t bytes_max);
// The facts behind a path now, through symlinks; ErrorCode::not_found when nothing is there.
Result<FileFacts> look_at(const std::string& path);
// Names in a directory, sorted; at most `names_max`.
Result<std::vector<std::string>> list_names(const std::string& directory, std::size_t names_max);
// Paths that match a shell pattern (a path without * ? [ matches itself, there or not), sorted.
std::vector<std::string> expand_pattern(const std::string& pattern, std::size_t paths_max);

struct FilesystemSpace {
  std::uint64_t total_bytes = 0, free_bytes = 0, available_bytes = 0;  // available: to unprivileged users
};
std::optional<FilesystemSpace> filesystem_space(const std::string& mountpoint);

}  // namespace arca::cli::agent
