#include "simulation/host.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "journal/journal.hpp"
#include "journal/pool.hpp"

namespace arca::simulation {
namespace {

class DeadWriterOfHost final : public flow::DeadWriter {
 public:
  DeadWriterOfHost(Host& host, os::FileSystem& disk, std::shared_ptr<Life> life, Oracle& oracle, model::WriterId id,
                   std::unique_ptr<journal::Journal> journal, std::unique_ptr<journal::Pool> pool)
      : host_(host),
        disk_(disk),
        life_(std::move(life)),
        oracle_(oracle),
        id_(id),
        journal_(std::move(journal)),
        pool_(std::move(pool)),
        had_pool_(pool_ != nullptr) {}
  ~DeadWriterOfHost() override {
    if (const auto found = host_.writers.find(id_); found != host_.writers.end() && !life_->is_dead())
      found->second.owner.reset();
  }
  DeadWriterOfHost(const DeadWriterOfHost&) = delete;
  DeadWriterOfHost& operator=(const DeadWriterOfHost&) = delete;

  model::ChunkSource* pool() override { return pool_.get(); }
  model::ChunkSource& journal() override { return *journal_; }
  bool journal_contains(const model::ChunkId& id) const override { return journal_->contains(id); }
  bool journal_holds(model::Signal signal) const override { return journal_->holds(signal); }
  model::Totals pool_totals() const override { return pool_ ? pool_->totals() : model::Totals{}; }
  model::Totals journal_totals() const override { return journal_->totals(); }
  std::string missing() const override { return had_pool_ ? "" : "its pool is gone with the power"; }
  Result<void> finish(const model::Totals& totals) override {
    pool_.reset();
    journal_.reset();
    return finish_writer(host_, disk_, *life_, oracle_, id_, totals);
  }

 private:
  Host& host_;
  os::FileSystem& disk_;
  const std::shared_ptr<Life> life_;
  Oracle& oracle_;
  const model::WriterId id_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<journal::Pool> pool_;
  const bool had_pool_;
};

}  // namespace

Host::Host(const World& world, std::size_t number, const std::string& memory_directory)
    : clock(world), number_(number), memory_directory_(memory_directory + "/host" + std::to_string(number)) {
  std::filesystem::create_directories(memory_directory_);
  std::filesystem::permissions(memory_directory_, std::filesystem::perms::owner_all);
  static_cast<void>(disk.make_directories(std::string(state_directory) + "/writers"));
}

Host::~Host() {
  std::error_code ignored;
  std::filesystem::remove_all(memory_directory_, ignored);
}

std::string Host::pool_path(model::WriterId writer) const {
  return memory_directory_ + "/" + model::to_string(writer) + ".pool";
}
std::string Host::journal_path(model::WriterId writer) {
  return std::string(state_directory) + "/writers/" + model::to_string(writer) + "/journal";
}
std::string Host::quarantine_path(model::WriterId writer) {
  return std::string(state_directory) + "/quarantine/" + model::to_string(writer);
}

void Host::lose_power(std::uint64_t seed) {
  for (const auto& [id, writer] : writers) std::filesystem::remove(writer.pool_path);
  disk.lose_power(seed);
}

void Host::lose_all() {
  for (const auto& [id, writer] : writers) std::filesystem::remove(writer.pool_path);
  writers.clear();
  is_lost = true;
}

Result<std::vector<journal::WriterEntry>> HostWriters::list() {
  if (life_->is_dead()) return failure(ErrorCode::io, "the process is dead");
  std::vector<journal::WriterEntry> entries;
  for (const auto& [id, writer] : host_.writers)
    entries.push_back({.id = id, .path = Host::journal_path(id), .live = writer.is_owned()});
  return entries;
}

Result<std::unique_ptr<flow::DeadWriter>> HostWriters::adopt(model::WriterId id) {
  if (life_->is_dead()) return failure(ErrorCode::io, "the process is dead");
  const auto found = host_.writers.find(id);
  if (found == host_.writers.end()) return failure(ErrorCode::not_found, "somebody else has finished it");
  if (found->second.is_owned()) return failure(ErrorCode::busy, "it lives");
  auto pool = journal::Pool::adopt(found->second.pool_path, host_.clock);
  if (!pool && pool.error().code() != ErrorCode::not_found) return tl::unexpected(pool.error());
  journal::JournalOptions options;
  options.directory = Host::journal_path(id);
  options.writer = id;
  options.sync_interval = {};
  auto journal = journal::Journal::open(disk_, host_.clock, options);
  if (!journal) return tl::unexpected(journal.error());
  found->second.owner = life_;
  return std::unique_ptr<flow::DeadWriter>(std::make_unique<DeadWriterOfHost>(
      host_, disk_, life_, oracle_, id, std::move(*journal), pool ? std::move(*pool) : nullptr));
}

Result<void> finish_writer(Host& host, os::FileSystem& disk, Life& life, Oracle& oracle, model::WriterId writer,
                           const model::Totals& totals) {
  // The ledger itself is locked by the real kernel, so it stands here for a file that is synced with each entry.
  if (const auto noted = disk.sync_directory(state_directory); !noted) return noted;
  oracle.finished(writer, totals);
  life.pass_point();
  if (!life.is_dead()) {
    if (const auto found = host.writers.find(writer); found != host.writers.end())
      std::filesystem::remove(found->second.pool_path);
  }
  life.pass_point();
  const std::string journal = Host::journal_path(writer);
  if (const auto names = disk.list(journal)) {
    for (const std::string& name : *names) {
      if (const auto removed = disk.remove(journal + "/" + name); !removed) return removed;
    }
  }
  if (life.is_dead()) return failure(ErrorCode::io, "the process is dead");
  host.writers.erase(writer);
  return {};
}

std::vector<std::byte> read_real_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const base::Bytes bytes = base::as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

// In place: what is mapped elsewhere stays the same file, with its holes filled.
void write_real_file(const std::string& path, const std::vector<std::byte>& bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) throw std::runtime_error("cannot open " + path);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::pwrite(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  ::ftruncate(file, static_cast<off_t>(done));
  ::close(file);
  if (done != bytes.size()) throw std::runtime_error("cannot write " + path);
}

}  // namespace arca::simulation
