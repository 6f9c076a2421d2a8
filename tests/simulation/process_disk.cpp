#include "simulation/process_disk.hpp"

#include <utility>

namespace arca::simulation {
namespace {

Error dead() { return {ErrorCode::io, "the process is dead"}; }

class ProcessFile final : public os::File {
 public:
  ProcessFile(std::unique_ptr<os::File> file, Life& life) noexcept : file_(std::move(file)), life_(life) {}

  Result<std::size_t> read_at(std::uint64_t offset, base::MutableBytes target) override {
    if (life_.is_dead()) return tl::unexpected(dead());
    return file_->read_at(offset, target);
  }
  Result<void> write_at(std::uint64_t offset, std::span<const base::Bytes> slices) override {
    if (life_.is_dead()) return tl::unexpected(dead());
    if (!life_.dies_in_this_operation()) return file_->write_at(offset, slices);
    std::vector<std::byte> all;
    for (const base::Bytes slice : slices) all.insert(all.end(), slice.begin(), slice.end());
    const base::Bytes half = base::Bytes(all).first(all.size() / 2);
    static_cast<void>(file_->write_at(offset, std::span(&half, 1)));
    life_.die();
    return tl::unexpected(dead());
  }
  Result<void> sync() override {
    if (auto may = change(); !may) return may;
    return file_->sync();
  }
  Result<std::uint64_t> size() override {
    if (life_.is_dead()) return tl::unexpected(dead());
    return file_->size();
  }
  Result<void> truncate(std::uint64_t size) override {
    if (auto may = change(); !may) return may;
    return file_->truncate(size);
  }
  Result<void> allocate(std::uint64_t offset, std::uint64_t size) override {
    if (auto may = change(); !may) return may;
    return file_->allocate(offset, size);
  }

 private:
  Result<void> change() {
    if (!life_.is_dead() && life_.dies_in_this_operation()) life_.die();
    if (life_.is_dead()) return tl::unexpected(dead());
    return {};
  }
  const std::unique_ptr<os::File> file_;
  Life& life_;
};

}  // namespace

bool ProcessDisk::may_change() {
  if (!life_.is_dead() && life_.dies_in_this_operation()) life_.die();
  return !life_.is_dead();
}

Result<std::unique_ptr<os::File>> ProcessDisk::open(const std::string& path, os::OpenMode mode) {
  const bool may = mode == os::OpenMode::create_new ? may_change() : !life_.is_dead();
  if (!may) return tl::unexpected(dead());
  auto file = disk_.open(path, mode);
  if (!file) return tl::unexpected(file.error());
  return std::unique_ptr<os::File>(std::make_unique<ProcessFile>(std::move(*file), life_));
}

Result<void> ProcessDisk::make_directories(const std::string& path) {
  return may_change() ? disk_.make_directories(path) : tl::unexpected(dead());
}
Result<std::vector<std::string>> ProcessDisk::list(const std::string& directory) {
  if (life_.is_dead()) return tl::unexpected(dead());
  return disk_.list(directory);
}
Result<void> ProcessDisk::remove(const std::string& path) {
  return may_change() ? disk_.remove(path) : tl::unexpected(dead());
}
Result<void> ProcessDisk::remove_directory(const std::string& path) {
  return may_change() ? disk_.remove_directory(path) : tl::unexpected(dead());
}
Result<void> ProcessDisk::rename(const std::string& from, const std::string& to) {
  return may_change() ? disk_.rename(from, to) : tl::unexpected(dead());
}
Result<void> ProcessDisk::sync_directory(const std::string& path) {
  return may_change() ? disk_.sync_directory(path) : tl::unexpected(dead());
}
Result<std::uint64_t> ProcessDisk::free_bytes(const std::string& path) {
  if (life_.is_dead()) return tl::unexpected(dead());
  return disk_.free_bytes(path);
}

}  // namespace arca::simulation
