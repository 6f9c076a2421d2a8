// The ledger: the totals of writers that are finished and gone, one checksummed entry each, in one append-only
// file. Used by WriterDirectory::finish and, through read_ledger, by status.
#pragma once

#include <string>

#include "journal/writer_directory.hpp"
#include "os/file_system.hpp"

namespace arca::journal {

// Adds an entry and syncs it. An entry of the same writer that is already there is left as it is.
Result<void> append_to_ledger(os::FileSystem& file_system, const std::string& state_directory,
                              const LedgerEntry& entry);
Result<Ledger> read_ledger(os::FileSystem& file_system, const std::string& state_directory);

}  // namespace arca::journal
