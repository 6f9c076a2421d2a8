// A disk in memory that does on command what disks do: loses what was not synced, tears writes at sectors, fails the
// n-th call once or for ever, runs full, and stops the world before or in the middle of the n-th operation.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "os/file_system.hpp"

namespace arca::fakes {

enum class Operation : std::uint8_t { open, read, write, sync, truncate, allocate, remove, rename, sync_directory };

// Thread-safe. Files outlive the file system object's callers but not the object itself.
class FakeFileSystem final : public os::FileSystem {
 public:
  static constexpr std::size_t sector_size = 512;

  Result<std::unique_ptr<os::File>> open(const std::string& path, os::OpenMode mode) override;
  Result<void> make_directories(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> remove(const std::string& path) override;
  Result<void> remove_directory(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;
  bool exists(const std::string& path) noexcept override;

  // --- faults ---
  void set_capacity(std::uint64_t bytes);  // reserved and written bytes of all files
  // Fails every operation for which `fails` says so, with `code`.
  void fail_when(std::function<bool(Operation, const std::string& path)> fails, ErrorCode code = ErrorCode::io);
  void heal();  // no more failures
  // The process dies in the n-th changing operation from now (from 1): a write is half done, and everything that
  // follows fails until restart(). 0: never.
  void die_at_operation(std::uint64_t n);
  [[nodiscard]] bool is_dead() const;
  [[nodiscard]] std::uint64_t changing_operation_count() const;
  // After the death of the process: the kernel has everything that was written.
  void restart();
  // After the death of the machine: only what was synced is there, and of the rest, by `seed`, some sectors.
  void lose_power(std::uint64_t seed);

  // --- what the test reads and breaks ---
  [[nodiscard]] std::vector<std::string> paths() const;  // all files
  [[nodiscard]] std::vector<std::byte> contents(const std::string& path) const;
  void set_contents(const std::string& path, std::vector<std::byte> bytes);  // and synced
  [[nodiscard]] std::uint64_t sync_count() const;

 private:
  friend class FakeFile;
  struct Node {
    std::vector<std::byte> bytes;
    std::vector<std::byte> synced;
  };
  using NodePtr = std::shared_ptr<Node>;

  Result<void> begin_locked(Operation operation, const std::string& path, bool changes);
  [[nodiscard]] std::uint64_t used_locked() const;
  Result<void> grow_locked(Node& node, std::uint64_t size);

  mutable std::mutex mutex_;
  std::map<std::string, NodePtr> files_;
  std::map<std::string, NodePtr> durable_names_;  // as they would be after a power loss
  std::set<std::string> directories_;
  std::uint64_t capacity_ = ~std::uint64_t{0};
  std::function<bool(Operation, const std::string&)> fails_;
  ErrorCode failure_code_ = ErrorCode::io;
  std::uint64_t die_at_ = 0;
  std::uint64_t changing_count_ = 0;
  std::uint64_t sync_count_ = 0;
  bool is_dead_ = false;
  bool dies_now_ = false;
};

}  // namespace arca::fakes
