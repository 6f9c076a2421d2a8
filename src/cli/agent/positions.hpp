// How far each followed file was read, kept over restarts in one small text file of the state directory. Used by
// LogFollower. The file is replaced as a whole (written beside, synced, renamed), so it is never torn.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arca/result.hpp"
#include "cli/agent/observed_files.hpp"
#include "os/file_system.hpp"

namespace arca::cli::agent {

// The first bytes of a file: they tell whether a file that has the same inode, or that was cut and grew again, is
// still the file that was read.
constexpr std::size_t head_bytes_max = 256;

struct FilePosition {
  FileIdentity identity;
  std::uint64_t offset = 0;      // everything before it was accepted
  std::uint64_t head_bytes = 0;  // how many bytes head_hash covers
  std::uint64_t head_hash = 0;
  std::string path;  // where it was seen last
};

std::uint64_t hash_head(std::string_view head);  // FNV-1a

// One line per file; what does not parse is left out and counted in `damaged_count`.
std::string format_positions(const std::vector<FilePosition>& positions);
Result<std::vector<FilePosition>> parse_positions(std::string_view text, std::size_t& damaged_count);

// Not thread-safe: one follower owns it.
class PositionStore {
 public:
  PositionStore(os::FileSystem& file_system, std::string directory)
      : file_system_(file_system), directory_(std::move(directory)) {}

  struct Loaded {
    std::vector<FilePosition> positions;
    bool first_run = false;  // no file of positions was there
    std::size_t damaged_count = 0;
  };
  Result<Loaded> load();
  Result<void> save(const std::vector<FilePosition>& positions);

 private:
  os::FileSystem& file_system_;
  const std::string directory_;
};

}  // namespace arca::cli::agent
