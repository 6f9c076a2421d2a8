// JournalView: a journal directory seen from outside, of a live writer, a dead one, or a quarantine. Changes nothing,
// reads as much as possible of damaged files, hides nothing. Used by `arca status`,
// `arca inspect` and `arca query`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "arca/result.hpp"
#include "journal/segment_reader.hpp"
#include "model/chunk.hpp"
#include "model/totals.hpp"
#include "os/file_system.hpp"

namespace arca::cli {

// A chunk that stands in a segment without a settlement.
struct KeptChunk {
  model::Signal signal = model::Signal::traces;
  std::uint32_t item_count = 0;
  std::uint64_t bytes = 0;
  base::WallTime sealed_at;
  std::uint64_t segment_number = 0;  // where it stands
  journal::SegmentItem item;
};

struct JournalView {
  model::Totals totals{};  // as Journal::totals()
  std::map<model::ChunkId, KeptChunk> unsettled;
  std::uint64_t segment_count = 0;
  std::uint64_t size = 0;           // bytes of all segments
  std::vector<std::string> damage;  // one sentence each

  [[nodiscard]] std::uint64_t unsettled_bytes() const;
  [[nodiscard]] std::array<std::uint64_t, model::signal_count> unsettled_items() const;
};

// Files in the directory that are named like segments, in their order.
Result<std::vector<std::string>> list_segments(os::FileSystem& file_system, const std::string& directory);

// An empty view if there is no such directory.
Result<JournalView> view_journal(os::FileSystem& file_system, const std::string& directory);

}  // namespace arca::cli
