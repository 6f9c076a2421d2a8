// RowWriter: makes the rows for look-up (traces_overflow, the index by service and time, the names) from parked chunks,
// in the background. CassandraSink hands it each chunk that was parked; ParkedSource those of dead writers whose rows
// are not complete. It never holds up parking: what does not fit in its memory it reads back from the store later.
#pragma once

#include <cstdint>
#include <memory>

#include "cassandra/store.hpp"
#include "os/clock.hpp"

namespace arca::cassandra {

struct RowWriterOptions {
  std::uint64_t memory_max = 32ULL << 20U;  // packed chunks that wait
  // Batches. With the chunks of parking (32) they must stay below what the connection takes (64 unless configured): a
  // full window would send chunks to the next tier.
  std::uint32_t in_flight_max = 24;
  // So many while chunks move, that is until moving_pause after the last was parked, and while give_way() says so: each
  // takes from the server what chunks need more.
  std::uint32_t in_flight_max_moving = 4;
  base::Duration moving_pause = std::chrono::milliseconds(100);
  std::uint64_t rows_per_second = 0;      // 0: no limit
  std::uint64_t pending_max = 1U << 16U;  // chunks that wait, with their payload or without; more are left to recovery
  base::Duration mark_interval = std::chrono::seconds(1);
};

struct RowWriterStatus {
  std::uint64_t row_count = 0;  // written since the start
  std::uint64_t pending_chunk_count = 0;
  std::uint64_t pending_item_count = 0;  // the lag
  std::uint64_t skipped_item_count = 0;  // spans without proper ids, chunks that cannot be read: in chunks only
  std::uint64_t left_chunk_count = 0;    // of which recovery will make the rows
  std::uint64_t read_back_count = 0;     // chunks that were read from the store again
  std::uint64_t failure_count = 0;       // writes that are tried again
  std::string last_error;
};

// Thread-safe. Has a thread of its own ("arca-rows"), which starts with the first chunk.
class RowWriter {
 public:
  RowWriter(ParkingStore& store, os::Clock& clock, RowWriterOptions options);
  ~RowWriter();  // stops at once; what is pending stays for recovery

  // Of one segment the chunks come in any order. Metrics and logs count as written at once.
  void add(const SegmentName& segment, StoredChunk chunk) noexcept;
  // No chunk of the segment comes any more: `chunk_count` positions there are, and those that never came have no rows.
  // When all are written the directory says so, and `done` is called, without any lock of ours.
  void end(const SegmentName& segment, std::int32_t chunk_count, std::function<void()> done = {}) noexcept;
  // Chunks are being read for the Collector, and probably still are after so long: rows leave them the server.
  void give_way(base::Duration time) noexcept;
  // Waits until nothing is pending.
  bool drain(base::SteadyTime deadline);
  [[nodiscard]] RowWriterStatus status() const;

 private:
  class State;
  std::shared_ptr<State> state_;
};

// What the rows of one chunk of traces are. ErrorCode::corrupt if it is no OTLP request.
struct ChunkRows {
  std::vector<TraceRows> traces;
  std::vector<TraceEntries> entries;
  std::vector<std::pair<std::string, std::vector<std::string>>> names;  // service, operations
  std::uint64_t skipped_item_count = 0;
};
Result<ChunkRows> rows_of(base::Bytes request);

}  // namespace arca::cassandra
