// The state directory and the writers in it.
//
//   <state>/ledger                     totals of writers that are finished and gone (append-only, checksummed)
//   <state>/writers/<id>/lock          held by the live owner
//   <state>/writers/<id>/pool          the pool file, or a symlink to it on tmpfs
//   <state>/writers/<id>/journal/      segments
//   <state>/quarantine/<id>/           rejected chunks of that writer, as a journal
//
// Used by telemetry (its own writer), by recovery (dead writers) and by status and inspect (everybody).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arca/result.hpp"
#include "model/chunk.hpp"
#include "model/totals.hpp"
#include "os/lock_file.hpp"

namespace arca::journal {

// A writer's directory that this process owns. Not thread-safe.
class WriterDirectory {
 public:
  // Makes a fresh writer: directory and lock appear together, so nobody can take it in between.
  static Result<std::unique_ptr<WriterDirectory>> create(const std::string& state_directory);
  // Takes over a dead writer; ErrorCode::busy if it lives, not_found if somebody else has finished it.
  static Result<std::unique_ptr<WriterDirectory>> adopt(const std::string& state_directory, model::WriterId id);

  [[nodiscard]] model::WriterId id() const noexcept { return id_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::string pool_link() const { return path_ + "/pool"; }
  [[nodiscard]] std::string journal_path() const { return path_ + "/journal"; }
  [[nodiscard]] const std::string& state_directory() const noexcept { return state_directory_; }

  // Writes the totals to the ledger, then removes the directory, pool and journal files. Requires: everything
  // in them is settled. A crash in between is harmless: the ledger counts a writer once.
  Result<void> finish(const model::Totals& totals);

 private:
  static Result<std::unique_ptr<WriterDirectory>> try_create(const std::string& state_directory);
  WriterDirectory(std::string state_directory, model::WriterId id, std::string path,
                  std::unique_ptr<os::LockFile> lock) noexcept;
  std::string state_directory_;
  model::WriterId id_;
  std::string path_;
  std::unique_ptr<os::LockFile> lock_;
};

struct WriterEntry {
  model::WriterId id;
  std::string path;
  bool live = false;
};
// All writers that have a directory, sorted by id. Not an error if there is none yet.
Result<std::vector<WriterEntry>> list_writers(const std::string& state_directory);

struct LedgerEntry {
  model::WriterId writer;
  model::Totals totals;
};
// Finished writers, each once; damaged entries are skipped and counted.
struct Ledger {
  std::vector<LedgerEntry> entries;
  std::uint64_t damaged_count = 0;
};
Result<Ledger> read_ledger(const std::string& state_directory);

// Where a new pool file goes: /dev/shm/arca-<uid>/<id>.pool when that file system can hold it, else
// <writer directory>/pool.data. A symlink <writer directory>/pool names it either way. `reason` says
// why tmpfs was not taken.
struct PoolPlace {
  std::string path;
  bool on_tmpfs = false;
  std::string reason;
};
Result<PoolPlace> choose_pool_place(const WriterDirectory& directory, std::uint64_t size,
                                    const std::string& preferred_directory);

}  // namespace arca::journal
