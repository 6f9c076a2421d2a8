// The pools of a test's dead writers lie in /dev/shm, where the removal of the test's directory does not reach them.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

namespace arca::crash {

// Removes them when it is destroyed, which must be before the state directory goes. Not thread-safe.
class PoolSweeper {
 public:
  explicit PoolSweeper(std::string state_directory) : state_directory_(std::move(state_directory)) {}
  ~PoolSweeper() {
    std::error_code ignored;
    for (const auto& writer : std::filesystem::directory_iterator(state_directory_ + "/writers", ignored)) {
      const auto pool = std::filesystem::read_symlink(writer.path() / "pool", ignored);
      if (!ignored) std::filesystem::remove(pool, ignored);
    }
  }
  PoolSweeper(const PoolSweeper&) = delete;
  PoolSweeper& operator=(const PoolSweeper&) = delete;

 private:
  std::string state_directory_;
};

}  // namespace arca::crash
