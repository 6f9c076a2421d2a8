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

}  // namespace

WriterFiles::WriterFiles(std::string state_directory, os::FileSystem& file_system, os::Clock& clock)
    : state_directory_(std::move(state_directory)), file_system_(file_system), clock_(clock) {}

Result<std::vector<journal::WriterEntry>> WriterFiles::list() { return journal::list_writers(state_directory_); }

Result<std::unique_ptr<DeadWriter>> WriterFiles::adopt(model::WriterId id) {
  Result<std::unique_ptr<journal::WriterDirectory>> directory = journal::WriterDirectory::adopt(state_directory_, id);
  if (!directory) return failure(directory.error());

  std::unique_ptr<journal::Pool> pool;
  std::string missing;
  // No link: the writer died before it had a pool, and nothing was promised.
  if (const Result<std::string> target = os::read_symlink((*directory)->pool_link()); target) {
    Result<std::unique_ptr<journal::Pool>> adopted = journal::Pool::adopt(*target, clock_);
    if (adopted) {
      pool = std::move(*adopted);
    } else if (adopted.error().code() != ErrorCode::not_found) {
      return failure(adopted.error());
    } else if (!is_in_ledger(state_directory_, id)) {
      missing =
          "its pool " + *target + " is gone (it does not survive a restart of the host); what was only there is lost";
    }
  } else if (target.error().code() != ErrorCode::not_found) {
    return failure(target.error());
  }

  journal::JournalOptions options;
  options.directory = (*directory)->journal_path();
  options.writer = id;
  Result<std::unique_ptr<journal::Journal>> journal = journal::Journal::open(file_system_, clock_, options);
  if (!journal) return failure(journal.error());
  return std::unique_ptr<DeadWriter>(std::make_unique<FilesOfDeadWriter>(std::move(*directory), std::move(*journal),
                                                                         std::move(pool), std::move(missing)));
}

}  // namespace arca::flow
