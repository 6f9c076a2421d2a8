// TelemetryStore: all places of one query as one. It reads them in the order in which telemetry moves, gives a chunk
// that lies in two of them once, keeps to the limit of bytes, and remembers what could not be read. Used by the
// queries.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "cli/query/telemetry_place.hpp"

namespace arca::cli::query {

// What became of reading.
struct ReadReport {
  std::vector<std::string> damage;  // what could not be read, one sentence each
  std::vector<std::string> notes;   // worth knowing
  std::uint64_t damage_count = 0;   // also those that no longer found room in the list
  bool unreachable = false;         // a place that needs a peer did not answer
  bool cut = false;                 // the limit of bytes was reached
  bool left_out = false;            // something was not looked at, as a note says
  std::uint64_t bytes = 0;
};

// ErrorCode::corrupt for a request that cannot be walked to its end: it is told like damage in the place.
using Take = std::function<Result<void>(const Piece&)>;

// Not thread-safe.
class TelemetryStore {
 public:
  TelemetryStore(std::vector<std::unique_ptr<TelemetryPlace>> places, std::uint64_t bytes_max);

  struct Options {
    bool repeats = false;  // also gives chunks that another place, or an earlier call, has given
    bool indexed = true;   // reads places with an index, and those without
    bool unindexed = true;
    std::function<std::optional<base::WallTime>()> oldest_wanted = {};  // see Reader; empty: everything matters
  };
  void read(const Wanted& wanted, const Options& options, const Take& take);
  void read(const Wanted& wanted, const Take& take) { read(wanted, {}, take); }

  // Of the places with an index. As TelemetryPlace says.
  void names(const Wanted& wanted, bool operations, const TakeName& take);
  std::vector<TraceId> find_traces(const Wanted& wanted, std::size_t limit, std::optional<base::WallTime>& more_before);
  [[nodiscard]] bool has_index() const noexcept;

  // Begins a new count of bytes, for the next look of --follow.
  void renew_budget() noexcept { bytes_left_ = bytes_max_; }
  [[nodiscard]] const ReadReport& report() const noexcept { return report_; }
  void clear_notes() { report_.notes.clear(); }

 private:
  class PlaceReader;
  void note_failure(Place place, const Error& error);

  std::vector<std::unique_ptr<TelemetryPlace>> places_;
  std::uint64_t bytes_max_;
  std::uint64_t bytes_left_;
  std::unordered_set<model::ChunkId> given_;
  ReadReport report_;
};

}  // namespace arca::cli::query
