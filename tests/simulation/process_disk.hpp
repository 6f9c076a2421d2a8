// ProcessDisk: the disk of a host as one of its processes sees it. The process can die in the middle of an operation,
// which is then done in half, and a dead one changes nothing any more.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fakes/fake_file_system.hpp"
#include "simulation/life.hpp"

namespace arca::simulation {

class ProcessDisk final : public os::FileSystem {
 public:
  ProcessDisk(fakes::FakeFileSystem& disk, Life& life) noexcept : disk_(disk), life_(life) {}

  Result<std::unique_ptr<os::File>> open(const std::string& path, os::OpenMode mode) override;
  Result<void> make_directories(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> remove(const std::string& path) override;
  Result<void> remove_directory(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;
  bool exists(const std::string& path) noexcept override { return !life_.is_dead() && disk_.exists(path); }

 private:
  // Whether an operation that changes the disk may be done.
  bool may_change();

  fakes::FakeFileSystem& disk_;
  Life& life_;
};

}  // namespace arca::simulation
