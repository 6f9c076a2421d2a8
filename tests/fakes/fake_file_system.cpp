#include "fakes/fake_file_system.hpp"

#include <algorithm>

#include "os/random.hpp"

namespace arca::fakes {

class FakeFile final : public os::File {
 public:
  FakeFile(FakeFileSystem& file_system, FakeFileSystem::NodePtr node, std::string path) noexcept
      : file_system_(file_system), node_(std::move(node)), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::uint64_t offset, base::MutableBytes target) override {
    const std::scoped_lock lock(file_system_.mutex_);
    if (auto begun = file_system_.begin_locked(Operation::read, path_, false); !begun) return failure(begun.error());
    const auto size = static_cast<std::uint64_t>(node_->bytes.size());
    if (offset >= size) return std::size_t{0};
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(target.size(), size - offset));
    std::copy_n(node_->bytes.begin() + static_cast<std::ptrdiff_t>(offset), count, target.begin());
    return count;
  }

  Result<void> write_at(std::uint64_t offset, std::span<const base::Bytes> slices) override {
    const std::scoped_lock lock(file_system_.mutex_);
    if (auto begun = file_system_.begin_locked(Operation::write, path_, true); !begun) return begun;
    std::vector<std::byte> all;
    for (const base::Bytes slice : slices) all.insert(all.end(), slice.begin(), slice.end());
    if (file_system_.dies_now_) all.resize(all.size() / 2);
    if (auto grown = file_system_.grow_locked(*node_, offset + all.size()); !grown) return grown;
    std::copy(all.begin(), all.end(), node_->bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    return died();
  }

  Result<void> sync() override {
    const std::scoped_lock lock(file_system_.mutex_);
    if (auto begun = file_system_.begin_locked(Operation::sync, path_, true); !begun) return begun;
    if (file_system_.dies_now_) return died();
    ++file_system_.sync_count_;
    node_->synced = node_->bytes;
    return {};
  }

  Result<std::uint64_t> size() override {
    const std::scoped_lock lock(file_system_.mutex_);
    return static_cast<std::uint64_t>(node_->bytes.size());
  }

  Result<void> truncate(std::uint64_t size) override {
    const std::scoped_lock lock(file_system_.mutex_);
    if (auto begun = file_system_.begin_locked(Operation::truncate, path_, true); !begun) return begun;
    if (file_system_.dies_now_) return died();
    node_->bytes.resize(static_cast<std::size_t>(size));
    return {};
  }

  Result<void> allocate(std::uint64_t offset, std::uint64_t size) override {
    const std::scoped_lock lock(file_system_.mutex_);
    if (auto begun = file_system_.begin_locked(Operation::allocate, path_, true); !begun) return begun;
    if (file_system_.dies_now_) return died();
    return file_system_.grow_locked(*node_, offset + size);
  }

 private:
  Result<void> died() {
    if (!file_system_.dies_now_) return {};
    file_system_.dies_now_ = false;
    file_system_.is_dead_ = true;
    return failure(ErrorCode::io, "the process is dead");
  }

  FakeFileSystem& file_system_;
  FakeFileSystem::NodePtr node_;
  std::string path_;
};

Result<void> FakeFileSystem::begin_locked(Operation operation, const std::string& path, bool changes) {
  if (is_dead_) return failure(ErrorCode::io, "the process is dead");
  if (fails_ && fails_(operation, path)) return failure(failure_code_, "told to fail: " + path);
  if (changes) {
    ++changing_count_;
    dies_now_ = die_at_ != 0 && changing_count_ == die_at_;
  }
  return {};
}

std::uint64_t FakeFileSystem::used_locked() const {
  std::uint64_t used = 0;
  for (const auto& [path, node] : files_) used += node->bytes.size();
  return used;
}

Result<void> FakeFileSystem::grow_locked(Node& node, std::uint64_t size) {
  if (size <= node.bytes.size()) return {};
  if (used_locked() + size - node.bytes.size() > capacity_) return failure(ErrorCode::full, "no space left on device");
  node.bytes.resize(static_cast<std::size_t>(size));
  return {};
}

Result<std::unique_ptr<os::File>> FakeFileSystem::open(const std::string& path, os::OpenMode mode) {
  const std::scoped_lock lock(mutex_);
  const bool creates = mode == os::OpenMode::create_new;
  if (auto begun = begin_locked(Operation::open, path, creates); !begun) return failure(begun.error());
  if (dies_now_) {
    dies_now_ = false;
    is_dead_ = true;
    return failure(ErrorCode::io, "the process is dead");
  }
  const auto found = files_.find(path);
  if (creates) {
    if (found != files_.end()) return failure(ErrorCode::busy, path + " exists");
    return std::make_unique<FakeFile>(*this, files_[path] = std::make_shared<Node>(), path);
  }
  if (found == files_.end()) return failure(ErrorCode::not_found, "no file " + path);
  return std::make_unique<FakeFile>(*this, found->second, path);
}

Result<void> FakeFileSystem::make_directories(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  if (is_dead_) return failure(ErrorCode::io, "the process is dead");
  for (std::size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1)) {
    directories_.insert(path.substr(0, end));
  }
  directories_.insert(path);
  return {};
}

Result<std::vector<std::string>> FakeFileSystem::list(const std::string& directory) {
  const std::scoped_lock lock(mutex_);
  if (is_dead_) return failure(ErrorCode::io, "the process is dead");
  if (!directories_.contains(directory)) return failure(ErrorCode::not_found, "no directory " + directory);
  std::set<std::string> names;
  const std::string prefix = directory + "/";
  const auto add = [&](const std::string& path) {
    if (path.starts_with(prefix))
      names.insert(path.substr(prefix.size(), path.find('/', prefix.size()) - prefix.size()));
  };
  for (const auto& [path, node] : files_) add(path);
  for (const std::string& path : directories_) add(path);
  return std::vector<std::string>(names.begin(), names.end());
}

Result<void> FakeFileSystem::remove(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  if (!files_.contains(path)) return is_dead_ ? failure(ErrorCode::io, "the process is dead") : Result<void>();
  if (auto begun = begin_locked(Operation::remove, path, true); !begun) return begun;
  if (std::exchange(dies_now_, false)) {
    is_dead_ = true;
    return failure(ErrorCode::io, "the process is dead");
  }
  files_.erase(path);
  return {};
}

Result<void> FakeFileSystem::remove_directory(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  directories_.erase(path);
  return {};
}

Result<void> FakeFileSystem::rename(const std::string& from, const std::string& to) {
  const std::scoped_lock lock(mutex_);
  if (auto begun = begin_locked(Operation::rename, from, true); !begun) return begun;
  if (std::exchange(dies_now_, false)) {
    is_dead_ = true;
    return failure(ErrorCode::io, "the process is dead");
  }
  const auto found = files_.find(from);
  if (found == files_.end()) return failure(ErrorCode::not_found, "no file " + from);
  const NodePtr node = found->second;
  files_.erase(found);
  files_[to] = node;
  return {};
}

Result<void> FakeFileSystem::sync_directory(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  if (auto begun = begin_locked(Operation::sync_directory, path, true); !begun) return begun;
  if (std::exchange(dies_now_, false)) {
    is_dead_ = true;
    return failure(ErrorCode::io, "the process is dead");
  }
  const auto is_inside = [&](const std::string& file) { return file.substr(0, file.rfind('/')) == path; };
  std::erase_if(durable_names_, [&](const auto& entry) { return is_inside(entry.first); });
  for (const auto& [file, node] : files_) {
    if (is_inside(file)) durable_names_[file] = node;
  }
  return {};
}

Result<std::uint64_t> FakeFileSystem::free_bytes(const std::string&) {
  const std::scoped_lock lock(mutex_);
  const std::uint64_t used = used_locked();
  return used < capacity_ ? capacity_ - used : 0;
}

bool FakeFileSystem::exists(const std::string& path) noexcept {
  const std::scoped_lock lock(mutex_);
  return files_.contains(path) || directories_.contains(path);
}

void FakeFileSystem::set_capacity(std::uint64_t bytes) {
  const std::scoped_lock lock(mutex_);
  capacity_ = bytes;
}

void FakeFileSystem::fail_when(std::function<bool(Operation, const std::string&)> fails, ErrorCode code) {
  const std::scoped_lock lock(mutex_);
  fails_ = std::move(fails);
  failure_code_ = code;
}

void FakeFileSystem::heal() { fail_when(nullptr); }

void FakeFileSystem::die_at_operation(std::uint64_t n) {
  const std::scoped_lock lock(mutex_);
  die_at_ = n == 0 ? 0 : changing_count_ + n;
}

bool FakeFileSystem::is_dead() const {
  const std::scoped_lock lock(mutex_);
  return is_dead_;
}

std::uint64_t FakeFileSystem::changing_operation_count() const {
  const std::scoped_lock lock(mutex_);
  return changing_count_;
}

std::uint64_t FakeFileSystem::sync_count() const {
  const std::scoped_lock lock(mutex_);
  return sync_count_;
}

void FakeFileSystem::restart() {
  const std::scoped_lock lock(mutex_);
  is_dead_ = false;
  die_at_ = 0;
}

// Each name is that of the last directory sync; each file has its synced bytes and, sector by sector, perhaps newer
// ones.
void FakeFileSystem::lose_power(std::uint64_t seed) {
  const std::scoped_lock lock(mutex_);
  os::SeededRandom random(seed);
  is_dead_ = false;
  die_at_ = 0;
  files_ = durable_names_;
  for (auto& [path, node] : files_) {
    auto survivor = std::make_shared<Node>();
    const std::size_t size = random.next() % 2 == 0 ? node->synced.size() : node->bytes.size();
    survivor->bytes = node->synced;
    survivor->bytes.resize(size);
    for (std::size_t at = 0; at < std::min(size, node->bytes.size()); at += sector_size) {
      if (random.next() % 2 == 0) continue;
      const std::size_t count = std::min(sector_size, std::min(size, node->bytes.size()) - at);
      std::copy_n(node->bytes.begin() + static_cast<std::ptrdiff_t>(at), count,
                  survivor->bytes.begin() + static_cast<std::ptrdiff_t>(at));
    }
    survivor->synced = survivor->bytes;
    node = survivor;
  }
  durable_names_ = files_;
}

std::vector<std::string> FakeFileSystem::paths() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, node] : files_) paths.push_back(path);
  return paths;
}

std::vector<std::byte> FakeFileSystem::contents(const std::string& path) const {
  const std::scoped_lock lock(mutex_);
  const auto found = files_.find(path);
  return found == files_.end() ? std::vector<std::byte>() : found->second->bytes;
}

void FakeFileSystem::set_contents(const std::string& path, std::vector<std::byte> bytes) {
  const std::scoped_lock lock(mutex_);
  const auto node = std::make_shared<Node>();
  node->synced = bytes;
  node->bytes = std::move(bytes);
  files_[path] = node;
  durable_names_[path] = node;
}

}  // namespace arca::fakes
