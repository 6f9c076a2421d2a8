// How a journal serves as a quarantine: it keeps what the Collector rejects for good until people have looked at it.
// Used by every lane's DispatcherOptions::keep_rejected.
#pragma once

#include "journal/journal.hpp"

namespace arca::journal {

// Durable on return. ErrorCode::full only if the quarantine has reached its budget: a disk that is full is
// ErrorCode::unavailable, because others may make room on it.
Result<void> keep_in_quarantine(Journal& quarantine, const model::Chunk& chunk);

}  // namespace arca::journal
