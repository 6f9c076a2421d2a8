// The inside of RowWriter: what its two sources share. Late answers of the store hold it, so it outlives the writer.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "cassandra/row_maker.hpp"
#include "cassandra/row_writer.hpp"
#include "os/log.hpp"

namespace arca::cassandra {

class RowWriter::State : public std::enable_shared_from_this<RowWriter::State> {
 public:
  State(ParkingStore& store, os::Clock& clock, RowWriterOptions options)
      : store_(store), clock_(clock), options_(options) {
    retries_.reserve(options.in_flight_max);  // so that an answer needs no memory
  }

  void add(const SegmentName& name, StoredChunk chunk) noexcept;
  void give_way(base::Duration time) noexcept;
  void end(const SegmentName& name, std::int32_t chunk_count, std::function<void()> done) noexcept;
  bool drain(base::SteadyTime deadline);
  RowWriterStatus status() const;
  void stop();

 private:
  // --- how far a segment is: row_writer_progress.cpp ---
  struct Segment {
    SegmentName name;
    std::int32_t prefix = 0;                  // the rows of all positions before it are written
    std::set<std::int32_t> done;              // behind the prefix
    std::set<std::int32_t> pending;           // came and are not written
    std::optional<std::int32_t> left;         // the first one that is left to recovery
    std::optional<std::int32_t> chunk_count;  // set: it has ended
    std::function<void()> done_callback;
    std::int32_t marked = 0;  // what the directory says
    bool is_marking = false;
    base::SteadyTime mark_at{};  // not before
    std::uint32_t failure_count = 0;
  };
  using SegmentPointer = std::shared_ptr<Segment>;

  // --- one chunk and its writes: row_writer.cpp ---
  struct Work {
    SegmentPointer segment;
    StoredChunk chunk;  // without payload if memory was short
    std::uint32_t write_count = 0;
    bool is_made = false;  // no further write comes
  };
  using WorkPointer = std::shared_ptr<Work>;
  struct Names {
    std::string service;
    std::vector<std::string> operations;
  };
  struct Write {
    WorkPointer work;
    std::variant<TraceRows, TraceEntries, Names> what;
    std::int64_t timestamp_us = 0;
    std::uint32_t failure_count = 0;
    base::SteadyTime retry_at{};
  };
  using WritePointer = std::shared_ptr<Write>;
  // The chunk whose rows are being made. Touched by the thread alone.
  struct Making {
    WorkPointer work;
    model::Payload request;
    std::deque<WritePointer> rest;  // entries and names, when the rows have gone
    bool has_rest = false;
  };
  using Lock = std::unique_lock<std::mutex>;

  void run(const std::stop_token& stop);
  bool step(Lock& lock);
  bool send_due_retry(Lock& lock);
  bool send_next(Lock& lock);
  bool take_chunk(Lock& lock);
  bool read_back(Lock& lock, const WorkPointer& work);
  void begin(const WorkPointer& work, Lock& lock);
  WritePointer make_write();
  void make_rest();
  Names unknown_names(std::pair<std::string, std::vector<std::string>> all);
  void send(const WritePointer& write) noexcept;
  void take_answer(const WritePointer& write, const StoreStatus& status) noexcept;
  void finish_if_written(const WorkPointer& work) noexcept;
  void skip(const WorkPointer& work, const std::string& why);
  [[nodiscard]] bool may_send(base::SteadyTime now) const;

  // --- progress. All of these under the lock. ---
  SegmentPointer segment_of(const SegmentName& name);
  void leave_to_recovery(Segment& segment, std::int32_t position);
  void finish(Segment& segment, std::int32_t position);
  [[nodiscard]] std::int32_t mark_of(const Segment& segment) const;
  [[nodiscard]] bool is_whole(const Segment& segment) const {
    return segment.chunk_count.has_value() && segment.pending.empty();
  }
  bool send_due_mark(Lock& lock);
  void take_marked(const SegmentPointer& segment, std::int32_t position, const StoreStatus& status) noexcept;
  void start_thread();
  void note_failure(const StoreStatus& status) noexcept;

  ParkingStore& store_;
  os::Clock& clock_;
  const RowWriterOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // All protected by mutex_.
  std::map<SegmentName, SegmentPointer> segments_;
  std::deque<WorkPointer> queue_;
  std::vector<WritePointer> retries_;
  std::uint64_t memory_ = 0;           // payloads in queue_
  std::uint32_t in_flight_count_ = 0;  // writes made and not finished, those included that wait for a retry
  std::uint64_t reading_ = 0;          // the number of the read-back that is awaited, or 0
  std::uint64_t read_number_ = 0;
  std::optional<std::pair<StoreStatus, std::vector<StoredChunk>>> read_answer_;
  base::SteadyTime read_again_at_{};
  std::uint32_t read_failure_count_ = 0;
  base::SteadyTime next_write_at_{};  // by the rate limit
  base::SteadyTime moving_until_{};   // chunks are parked or read
  bool lost_track_ = false;           // no memory for a chunk's place: from then on no segment counts as complete
  RowWriterStatus status_;

  // Touched by the thread alone.
  RowMaker maker_;
  Making making_;
  std::unordered_set<std::string> known_names_;  // "service\0operation", written by this process
  base::SteadyTime names_known_since_{};

  std::jthread thread_;  // protected by mutex_ until it is stopped
};

// The wait after the n-th failure in a row of the same write.
base::Duration row_backoff(std::uint32_t failure_count) noexcept;

}  // namespace arca::cassandra
