// LazyQuarantine: keeps chunks that the Collector rejects for good while `arca recover` runs, in a quarantine of its
// own that is not made before the first one comes. Used by recover_command.cpp.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "journal/journal.hpp"
#include "model/ack.hpp"

namespace arca::cli {

// Thread-safe. The clock and the file system outlive it.
class LazyQuarantine {
 public:
  LazyQuarantine(std::string state_directory, std::uint64_t size_max, os::FileSystem& file_system, os::Clock& clock);

  // Durable on return. ErrorCode::full at the budget.
  Result<void> keep(const model::Chunk& chunk);

 private:
  Result<void> open();

  const std::string state_directory_;
  const std::uint64_t size_max_;
  os::FileSystem& file_system_;
  os::Clock& clock_;
  std::mutex mutex_;
  std::unique_ptr<journal::Journal> journal_;  // guarded by mutex_
};

}  // namespace arca::cli
