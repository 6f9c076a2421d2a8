// ParkedReader: looks at what lies in Cassandra: traces by id and by service and time, names, chunks, quarantine. It
// never writes. Each call sends what it needs side by side and waits for the answers. Used by `arca query`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cassandra/cql.hpp"
#include "cassandra/store.hpp"
#include "os/clock.hpp"

namespace arca::cassandra {

// A span of time; empty ends are open.
struct TimeRange {
  std::optional<base::WallTime> since;
  std::optional<base::WallTime> until;
};

// What the index by service and time says of one trace, put together from all its lines.
struct IndexedTrace {
  std::string trace_id;
  base::WallTime start{};
};

struct IndexQuery {
  std::vector<std::string> services;
  TimeRange range;  // of the starts
  base::Duration duration_min{};
  bool errors_only = false;
  std::size_t limit = 100;
};

struct IndexAnswer {
  std::vector<IndexedTrace> traces;           // each once, the newest first
  std::optional<base::WallTime> more_before;  // set: there may be more, which began before this
};

// A chunk without its payload.
struct ChunkHead {
  std::size_t segment = 0;  // its place in what was asked for
  std::int32_t position = 0;
  model::ChunkId id;
  model::Signal signal = model::Signal::traces;
  base::WallTime sealed_at{};
  std::uint64_t raw_size = 0;
};
struct ChunkSpot {
  Uuid segment;
  std::int32_t position = 0;
};

// Not thread-safe. Failures: ErrorCode::timeout when no answer has come for so long, else those of Answer::error().
class ParkedReader {
 public:
  struct Options {
    std::string keyspace;
    base::Duration timeout = std::chrono::seconds(10);
    std::uint32_t in_flight_max = 32;
    base::Duration lookback = std::chrono::hours(8 * 24);  // how far back the index is searched: the TTL of the rows
  };
  // Cql, store and clock outlive it.
  static Result<std::unique_ptr<ParkedReader>> create(Cql& cql, ParkingStore& store, os::Clock& clock, Options options);
  ~ParkedReader();

  // The rows of these traces (ids in lower-case hex), one TracesData each, in no order. Stops when `take` says false.
  using TakeRow = std::function<bool(base::Bytes trace_data)>;
  Result<void> read_traces(const std::vector<std::string>& trace_ids, const TakeRow& take);

  // The names that the rows have: services, and operations of one of them or of all. Stops when `take` says false.
  using TakeName = std::function<bool(std::string_view service, std::string_view operation)>;
  Result<void> services(const TakeName& take);
  Result<void> operations(const std::string& service, const TakeName& take);
  Result<IndexAnswer> find_traces(const IndexQuery& query);

  // Segments that may hold items of this time, in no order. Those that their writer has not sealed say little of
  // themselves, and are always given.
  using TakeSegment = std::function<void(const SegmentEntry&)>;
  Result<void> segments(const TimeRange& range, const TakeSegment& take);
  // What lies in these segments from these positions on, in no order.
  Result<std::vector<ChunkHead>> chunk_heads(const std::vector<ChunkSpot>& from);
  // Chunks as they are stored, in no order; one that is not there is left out. Stops when `take` says false.
  using TakeChunk = std::function<bool(const StoredChunk&)>;
  Result<void> read_chunks(const std::vector<ChunkSpot>& spots, const TakeChunk& take);
  // Rejected chunks, the newest hours first.
  using TakeRejected = std::function<bool(const StoredChunk&, const std::string& reason)>;
  Result<void> read_quarantine(const TimeRange& range, const TakeRejected& take);

 private:
  class State;
  explicit ParkedReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace arca::cassandra
