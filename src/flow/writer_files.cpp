#include "flow/writer_files.hpp"

#include <algorithm>
#include <utility>

#include "journal/journal.hpp"
#include "journal/pool.hpp"
#include "os/private_directory.hpp"

namespace arca::flow {

namespace {

class FilesOfDeadWriter final : public DeadWriter {
 public:
  FilesOfDeadWriter(std::unique_ptr<journal::WriterDirectory> directory, std::unique_ptr<journal::Journal> journal,
                    std::unique_ptr<journal::Pool> pool, std::string missing)
      : directory_(std::move(directory)),
        journal_(std::move(journal)),
        pool_(std::move(pool)),
        missing_(std::move(missing)) {}

  model::ChunkSource* pool() override { return pool_.get(); }
  model::ChunkSource& journal() override { return *journal_; }
  bool journal_contains(const model::ChunkId& id) const override { return journal_->contains(id); }
  bool journal_holds(model::Signal signal) const override { return journal_->holds(signal); }
  model::Totals pool_totals() const override { return pool_ ? pool_->totals() : model::Totals{}; }
  model::Totals journal_totals() const override { return journal_->totals(); }
  std::string missing() const override { return missing_; }

  Result<void> finish(const model::Totals& totals) override {
    // Closed first: their last writes must not meet a directory that is being removed.
    pool_.reset();
    journal_.reset();
    return directory_->finish(totals);
  }

 private:
  std::unique_ptr<journal::WriterDirectory> directory_;  // first: its lock is dropped last
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<journal::Pool> pool_;
  std::string missing_;
};

// A crash in the middle of finish() leaves the ledger's entry and part of the files.
bool is_in_ledger(const std::string& state_directory, model::WriterId id) {
  const Result<journal::Ledger> ledger = journal::read_ledger(state_directory);
  return ledger && std::any_of(ledger->entries.begin(), ledger->entries.end(),
                               [id](const journal::LedgerEntry& entry) { return entry.writer == id; });
}

// What is left of a writer's pool: the pool; or nothing, and why, if there was one; or neither, if the writer died
// before it had one and nothing was promised.
struct PoolOfDeadWriter {
  std::unique_ptr<journal::Pool> pool;
  std::string missing;
};

// The link names the pool by its whole path. Where the state directory was moved or copied since, it leads nowhere, or
// to the pool of the original, or has become the file itself: so a pool that lies in the directory comes first. A pool
// that is there and cannot be taken is an error, so that it stays, with its writer; ErrorCode::busy if its writer
// lives.
Result<PoolOfDeadWriter> adopt_pool(const journal::WriterDirectory& directory, os::Clock& clock) {
  const Result<std::string> target = os::read_symlink(directory.pool_link());
  if (!target && target.error().code() != ErrorCode::not_found) return failure(target.error());
  std::vector<std::string> places{directory.pool_link()};
  if (target) places = {directory.path() + "/" + target->substr(target->rfind('/') + 1)};
  places.push_back(directory.path() + "/pool.data");
  if (target) places.push_back(*target);
  for (const std::string& place : places) {
    Result<std::unique_ptr<journal::Pool>> pool =
        journal::Pool::adopt(place, clock, directory.journal_path() + "/damaged");
    if (pool && (*pool)->writer() != directory.id()) {
      return failure(ErrorCode::corrupt, place + " is the pool of writer " + model::to_string((*pool)->writer()));
    }
    if (pool) return PoolOfDeadWriter{.pool = std::move(*pool), .missing = {}};
    if (pool.error().code() != ErrorCode::not_found) return failure(pool.error());
  }
  PoolOfDeadWriter nothing;
  if (target && !is_in_ledger(directory.state_directory(), directory.id())) {
    nothing.missing =
        "its pool " + *target + " is gone (it does not survive a restart of the host); what was only there is lost";
  }
  return nothing;
}

}  // namespace

WriterFiles::WriterFiles(std::string state_directory, os::FileSystem& file_system, os::Clock& clock)
    : state_directory_(std::move(state_directory)), file_system_(file_system), clock_(clock) {}

Result<std::vector<journal::WriterEntry>> WriterFiles::list() { return journal::list_writers(state_directory_); }

Result<std::unique_ptr<DeadWriter>> WriterFiles::adopt(model::WriterId id) {
  Result<std::unique_ptr<journal::WriterDirectory>> directory = journal::WriterDirectory::adopt(state_directory_, id);
  if (!directory) return failure(directory.error());

  Result<PoolOfDeadWriter> pool = adopt_pool(**directory, clock_);
  if (!pool) return failure(pool.error());

  journal::JournalOptions options;
  options.directory = (*directory)->journal_path();
  options.writer = id;
  Result<std::unique_ptr<journal::Journal>> journal = journal::Journal::open(file_system_, clock_, options);
  if (!journal) return failure(journal.error());
  return std::unique_ptr<DeadWriter>(std::make_unique<FilesOfDeadWriter>(
      std::move(*directory), std::move(*journal), std::move(pool->pool), std::move(pool->missing)));
}

}  // namespace arca::flow
