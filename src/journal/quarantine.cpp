#include "journal/quarantine.hpp"

namespace arca::journal {

Result<void> keep_in_quarantine(Journal& quarantine, const model::Chunk& chunk) {
  auto kept = quarantine.append(chunk);
  if (!kept && kept.error().code() == ErrorCode::full && quarantine.has_room_for(chunk.payload.size()))
    return failure(ErrorCode::unavailable, kept.error().message());
  return kept;
}

}  // namespace arca::journal
