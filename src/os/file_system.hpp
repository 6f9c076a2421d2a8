// The only door to the disk. The default is PosixFileSystem; tests inject fakes::FakeFileSystem, which
// loses what was not synced, fails the n-th call, writes short and fills up.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "arca/result.hpp"
#include "base/bytes.hpp"

namespace arca::os {

enum class OpenMode { read, read_write, create_new };

// One open file. Not thread-safe: one writer at a time; pread may run beside it.
class File {
 public:
  virtual ~File() = default;
  // Reads up to target.size() bytes at `offset`; the count is short only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, base::MutableBytes target) = 0;
  // Writes all slices one behind the other at `offset`, or fails (part may have been written).
  virtual Result<void> write_at(std::uint64_t offset, std::span<const base::Bytes> slices) = 0;
  // Waits until what was written survives a power loss (fdatasync). After a failure the file must
  // not be written again: the kernel may have dropped the pages.
  virtual Result<void> sync() = 0;
  virtual Result<std::uint64_t> size() = 0;
  virtual Result<void> truncate(std::uint64_t size) = 0;
  // Reserves disk blocks, so that a later write or a store to a mapping cannot fail for want of space.
  virtual Result<void> allocate(std::uint64_t offset, std::uint64_t size) = 0;
};

// Thread-safe. Files are created 0600, directories 0700. Paths are absolute. No symlink is followed
// in the last component of a path that is opened.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  // Creates the directory and its parents; fine if it exists.
  virtual Result<void> make_directories(const std::string& path) = 0;
  // Names (not paths) in a directory, sorted; ErrorCode::not_found if there is none.
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  virtual Result<void> remove(const std::string& path) = 0;            // a file; fine if it is gone
  virtual Result<void> remove_directory(const std::string& path) = 0;  // an empty one; fine if it is gone
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> sync_directory(const std::string& path) = 0;
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;  // for unprivileged users
  virtual bool exists(const std::string& path) noexcept = 0;
};

// The process-wide real one. Nothing of it grows a file beyond file_size_limit(): that is ErrorCode::full.
FileSystem& posix_file_system();

// Whether this process can read the file that `path`, or the link there, names: what others own is often linked.
Result<void> check_readable(const std::string& path);

// Bytes that a file of this process may have (ulimit -f). Who tries to write behind that gets SIGXFSZ, which ends the
// process, so ask first.
std::uint64_t file_size_limit() noexcept;

}  // namespace arca::os
