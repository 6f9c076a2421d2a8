// Tally: what the sink has taken, counted exactly, and the report about it. Used by SinkServer; tests ask it
// through the control port.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "arca/result.hpp"
#include "base/bytes.hpp"
#include "cli/sink/behaviour.hpp"
#include "cli/sink/id_set.hpp"
#include "cli/sink/wire_walk.hpp"
#include "model/signal.hpp"

namespace arca::cli::sink {

struct TrackOptions {
  bool ids = true;         // unique span ids
  bool sequences = false;  // (stream, sequence) of every item that carries them
  std::uint64_t count_max = 500'000'000;
};

struct SignalCounts {
  std::uint64_t request_count = 0;  // taken
  std::uint64_t wire_bytes = 0;     // of bodies as they came
  std::uint64_t payload_bytes = 0;  // of bodies after decompression
  std::uint64_t item_count = 0;     // spans, log records, data points in taken requests
  std::uint64_t unique_count = 0;
  std::uint64_t duplicate_count = 0;
  std::uint64_t unnamed_count = 0;              // items that carried nothing to tell them apart by
  std::uint64_t told_rejected_count = 0;        // items that a partial success named as rejected
  std::uint64_t turned_away_request_count = 0;  // answered with an error, or not at all; not taken
  std::uint64_t malformed_request_count = 0;
};

// Not thread-safe.
class Tally {
 public:
  explicit Tally(const TrackOptions& options);

  // Counts a request as taken. `chunk_id` is "" when the sender named none. Nothing if it does not parse.
  std::optional<std::uint64_t> take(model::Signal signal, base::Bytes request, std::size_t wire_size,
                                    std::string_view chunk_id);
  void turn_away(model::Signal signal) { ++counts(signal).turned_away_request_count; }
  void malformed(model::Signal signal) { ++counts(signal).malformed_request_count; }
  void told_rejected(model::Signal signal, std::uint64_t items) { counts(signal).told_rejected_count += items; }
  void fault_fired(Mode mode) { ++faults_[static_cast<std::size_t>(mode)]; }
  void connection_opened() { ++connection_count_; }

  [[nodiscard]] const SignalCounts& of(model::Signal signal) const { return counts_[model::index_of(signal)]; }
  [[nodiscard]] nlohmann::ordered_json report() const;
  // One stream, whole: ranges seen, duplicates; with `from <= to` also what is missing there and what is outside.
  [[nodiscard]] nlohmann::ordered_json stream_report(model::Signal signal, std::string_view stream, std::int64_t from,
                                                     std::int64_t to) const;
  void clear();

 private:
  static void visit(void* self, const SeenItem& item);
  void see_sequence(const SeenItem& item);
  void see_chunk(std::string_view chunk_id);
  SignalCounts& counts(model::Signal signal) { return counts_[model::index_of(signal)]; }

  TrackOptions options_;
  std::array<SignalCounts, model::signal_count> counts_{};
  std::array<std::uint64_t, mode_count> faults_{};
  std::uint64_t connection_count_ = 0;
  IdSet span_ids_;
  struct Stream {
    SequenceSet seen;
    FirstArrivals first;
    std::uint64_t renamed_count = 0;  // came again in a chunk with another id
  };
  using Streams = std::map<std::string, Stream, std::less<>>;
  std::array<Streams, model::signal_count> streams_;
  std::unordered_map<std::string, std::uint32_t> chunks_;  // their numbers, from 1
  std::uint64_t chunk_duplicate_count_ = 0;
  std::uint64_t chunk_unnamed_count_ = 0;
  // Of the request being walked.
  model::Signal signal_ = model::Signal::traces;
  // Counted once the whole request has been walked: a malformed one leaves no trace.
  std::vector<std::uint64_t> ids_of_request_;
  std::vector<SeenItem> sequences_of_request_;
  std::uint64_t fresh_ = 0;
  std::uint64_t again_ = 0;
  std::string_view last_stream_name_;
  Stream* last_stream_ = nullptr;
  std::uint32_t chunk_number_ = 0;  // 0: it has no name
};

}  // namespace arca::cli::sink
