// Host: a simulated machine: its clocks, its disk, its memory file system, and which writer's files belong to whom.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "fakes/fake_file_system.hpp"
#include "flow/dead_writer.hpp"
#include "simulation/host_clock.hpp"
#include "simulation/life.hpp"
#include "simulation/oracle.hpp"
#include "simulation/process_disk.hpp"

namespace arca::simulation {

inline constexpr const char* state_directory = "/state";

class Host {
 public:
  // Below `memory_directory` (of the real tmpfs) are the pools, as real mappings.
  Host(const World& world, std::size_t number, const std::string& memory_directory);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  [[nodiscard]] std::size_t number() const noexcept { return number_; }
  HostClock clock;
  fakes::FakeFileSystem disk;
  bool is_lost = false;

  // Files of a writer. The lock is the life of who holds it: the kernel drops it with the process.
  struct Writer {
    std::string pool_path;
    std::weak_ptr<Life> owner;
    [[nodiscard]] bool is_owned() const {
      const auto life = owner.lock();
      return life != nullptr && !life->is_dead();
    }
  };
  std::map<model::WriterId, Writer> writers;

  [[nodiscard]] std::string pool_path(model::WriterId writer) const;
  [[nodiscard]] static std::string journal_path(model::WriterId writer);
  [[nodiscard]] static std::string quarantine_path(model::WriterId writer);

  // Requires that all its processes are dead.
  void lose_power(std::uint64_t seed);
  void lose_all();

 private:
  const std::size_t number_;
  const std::string memory_directory_;
};

// The dead writers of a host as one process sees them.
class HostWriters final : public flow::Writers {
 public:
  HostWriters(Host& host, os::FileSystem& disk, std::shared_ptr<Life> life, Oracle& oracle)
      : host_(host), disk_(disk), life_(std::move(life)), oracle_(oracle) {}

  Result<std::vector<journal::WriterEntry>> list() override;
  Result<std::unique_ptr<flow::DeadWriter>> adopt(model::WriterId id) override;

 private:
  Host& host_;
  os::FileSystem& disk_;
  const std::shared_ptr<Life> life_;
  Oracle& oracle_;
};

// Notes the totals and removes the files; what a process does with its own writer at the end, and recovery with others.
Result<void> finish_writer(Host& host, os::FileSystem& disk, Life& life, Oracle& oracle, model::WriterId writer,
                           const model::Totals& totals);

std::vector<std::byte> read_real_file(const std::string& path);
void write_real_file(const std::string& path, const std::vector<std::byte>& bytes);

}  // namespace arca::simulation
