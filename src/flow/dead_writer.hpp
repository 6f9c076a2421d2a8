// DeadWriter and Writers: what recovery needs of the state directory. The real ones stand on journal files
// (writer_files.hpp); tests bring their own, which crash and lie on command.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arca/result.hpp"
#include "journal/writer_directory.hpp"
#include "model/chunk_source.hpp"
#include "model/totals.hpp"

namespace arca::flow {

// The files of a writer that is dead, owned through its lock until destruction. Not thread-safe, its sources are.
class DeadWriter {
 public:
  virtual ~DeadWriter() = default;
  virtual model::ChunkSource* pool() = 0;  // null if there is none
  virtual model::ChunkSource& journal() = 0;
  [[nodiscard]] virtual bool journal_contains(const model::ChunkId& id) const = 0;
  [[nodiscard]] virtual bool journal_holds(model::Signal signal) const = 0;
  [[nodiscard]] virtual model::Totals pool_totals() const = 0;  // zero if there is no pool
  [[nodiscard]] virtual model::Totals journal_totals() const = 0;
  // What should be there and is not, for people; empty if all is well. (A pool on tmpfs does not survive a reboot.)
  [[nodiscard]] virtual std::string missing() const = 0;
  // Writes the totals to the ledger and removes the files. From the first call on the sources are gone; after a
  // failure only finish() may be called again.
  virtual Result<void> finish(const model::Totals& totals) = 0;
};

// Thread-safe.
class Writers {
 public:
  virtual ~Writers() = default;
  virtual Result<std::vector<journal::WriterEntry>> list() = 0;
  // ErrorCode::busy if it lives, not_found if somebody else has finished it.
  virtual Result<std::unique_ptr<DeadWriter>> adopt(model::WriterId id) = 0;
};

// What the ledger says of a writer with nothing left in its files. Chunks that both pool and journal delivered (the
// process died between append and settle) count once; what was accepted and has no verdict anywhere is lost.
model::Totals final_totals(const model::Totals& pool, const model::Totals& journal, bool has_pool);

}  // namespace arca::flow
