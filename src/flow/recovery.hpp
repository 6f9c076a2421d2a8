// Recovery: delivers what nobody tends: the process's own journal, what lies in the tiers that outlive the host (each
// of these a lane), and the journals and pools of dead writers in the state directory. Runs beside the live lane in
// every process, and alone in `arca recover`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "flow/dead_writer.hpp"
#include "flow/dead_writer_source.hpp"
#include "flow/dispatcher.hpp"

namespace arca::flow {

// A store that is always there, drained as long as recovery runs.
struct RecoveryLane {
  std::string name;  // in reports: "recovery of ..."
  model::ChunkSource* source = nullptr;
  model::Sink* sink = nullptr;      // null: that of recovery
  std::uint32_t in_flight_max = 0;  // chunks; 0: as the others
  // Whether the source keeps rejected chunks itself; RecoveryOptions::keep_rejected is then not asked.
  bool keeps_rejected = false;
  // For a source that must be driven: called before each step, returns when to call again.
  std::function<base::SteadyTime(base::SteadyTime)> tend = {};
  // For a source that does not know at every moment what it holds; empty: drained when its backlog is empty. Asked only
  // while no dead writer is left, whose chunks may be parked in it.
  std::function<bool()> is_drained = {};
};

struct RecoveryOptions {
  std::uint32_t in_flight_max = 2;       // for each lane and each writer being drained: the bound of its memory
  std::vector<RecoveryLane> lanes = {};  // beside the own journal
  RateLimits limits{.bytes_per_second = 200ULL << 20U};  // for all of recovery together
  base::Duration scan_interval = std::chrono::seconds(5);
  base::Duration start_jitter = std::chrono::seconds(1);       // processes that start together don't scan together
  base::Duration set_aside_time = std::chrono::minutes(1);     // until a writer that could not be read is tried again
  base::Duration stop_grace = std::chrono::milliseconds(500);  // for the last acks when run() is stopped
  std::uint32_t adopted_max = 8;                               // writers held at a time
  // Of these so many are drained at a time, at most: the next one begins when all before it are blocked.
  std::uint32_t drained_max = 4;
  base::Duration stall_time = std::chrono::seconds(1);  // no answer for so long: blocked
  BackoffOptions retry;
  BackoffOptions fault{.initial = std::chrono::milliseconds(100), .max = std::chrono::seconds(30)};
  std::function<bool()> yields = {};  // see DispatcherOptions
  std::function<Result<void>(const model::Chunk&, const model::Ack&)> keep_rejected = {};
  std::shared_ptr<Doorbell> wake_up = {};   // rung when step() is worth calling; empty: its own
  std::shared_ptr<Doorbell> progress = {};  // rung after each settled chunk of a lane; empty: nobody's
  Random random = {};
  Report report = {};
};

struct RecoveryWriter {
  model::WriterId id;
  enum class State : std::uint8_t { live, waiting, draining, unreadable } state = State::waiting;
  model::Backlog backlog;
  std::string note;  // why it is unreadable, or what is missing
};
std::string_view to_string(RecoveryWriter::State state) noexcept;

struct RecoveryLaneStatus {
  std::string name;
  model::Backlog backlog;
};

struct RecoveryStatus {
  std::vector<RecoveryWriter> writers;  // dead ones that were found
  model::Backlog own_journal;
  std::vector<RecoveryLaneStatus> lanes;  // without the own journal
  std::uint64_t finished_writer_count = 0;
  DispatcherCounters counters;  // over all that was drained
};

// What has become of the items that recovery is done with.
struct DoneItems {
  std::uint64_t delivered = 0;
  std::uint64_t parked = 0;       // in a tier, whose lane delivers them
  std::uint64_t quarantined = 0;  // refused for good

  [[nodiscard]] std::uint64_t sum() const noexcept { return delivered + parked + quarantined; }
};
DoneItems done_items(const DispatcherCounters& counters) noexcept;

struct RecoveryProgress {
  std::uint64_t bytes_done = 0, bytes_left = 0;
  DoneItems items_done;
  std::uint64_t items_left = 0;
  double bytes_per_second = 0;
  std::optional<base::Duration> time_left;  // unknown while nothing moves
  std::uint64_t writers_done = 0, writers_left = 0;
};

struct RecoveryReport {
  bool complete = false;  // nothing is left, but for what is live or unreadable
  RecoveryProgress progress;
  RecoveryStatus status;
};

// step(), run() and drain_once() belong to one thread; status() is thread-safe and waits for no step.
// All that is passed by reference outlives it, the sources and sinks of lanes too.
class Recovery {
 public:
  // `own_journal` may be null. `sink` is the Collector's, shared with the live lane.
  Recovery(Writers& writers, model::ChunkSource* own_journal, model::Sink& sink, os::Clock& clock,
           RecoveryOptions options);
  ~Recovery();
  Recovery(const Recovery&) = delete;
  Recovery& operator=(const Recovery&) = delete;

  // Does one piece of work and returns when to call again if the doorbell does not ring before.
  base::SteadyTime step(base::SteadyTime now);
  void run(const std::stop_token& stop);
  // Drains all that is there now, then returns; what is under way at the deadline gets stop_grace, and recovery rests
  // for good. `progress` is called about five times a second and at the end.
  RecoveryReport drain_once(base::SteadyTime deadline, const std::function<void(const RecoveryProgress&)>& progress,
                            const std::stop_token& stop = {});
  // What a drain would find. Takes each dead writer for a moment; settles, sends and removes nothing.
  Result<RecoveryStatus> dry_run();

  // Lanes as they are, writers as the last step has left them.
  [[nodiscard]] RecoveryStatus status() const;

 private:
  struct Lane {
    RecoveryLane what;
    std::unique_ptr<Dispatcher> dispatcher;
  };
  struct Drain;
  struct Unreadable {
    Error error;
    base::SteadyTime again_at;
  };

  base::SteadyTime step_locked(base::SteadyTime now);
  void add_lane(RecoveryLane lane);
  static base::SteadyTime step_lane(const Lane& lane, base::SteadyTime now);
  void scan(base::SteadyTime now);
  void adopt(model::WriterId id, base::SteadyTime now);
  base::SteadyTime step_writers(base::SteadyTime now);
  base::SteadyTime step_writer(Drain& drain, base::SteadyTime now);
  [[nodiscard]] bool is_held_back(base::SteadyTime now) const;
  [[nodiscard]] bool is_blocked(Drain& drain, base::SteadyTime wake, base::SteadyTime now) const;
  base::SteadyTime reconcile(Drain& drain, base::SteadyTime now);
  base::SteadyTime deliver(Drain& drain, base::SteadyTime now);
  base::SteadyTime finish(Drain& drain, base::SteadyTime now);
  base::SteadyTime fault(Drain& drain, const Error& error, base::SteadyTime now);
  void set_aside(model::WriterId id, const Error& error, base::SteadyTime now);
  void drop_finished();
  [[nodiscard]] DispatcherOptions dispatcher_options(const std::string& name) const;
  [[nodiscard]] bool is_idle() const;
  [[nodiscard]] RecoveryProgress progress_since(base::SteadyTime begin, base::SteadyTime now) const;
  void stop_all();
  void publish_writers();

  Writers& writers_;
  model::ChunkSource* own_journal_;
  model::Sink& sink_;
  os::Clock& clock_;
  RecoveryOptions options_;
  const std::shared_ptr<Doorbell> wake_up_;
  std::shared_ptr<RateLimiter> rate_limiter_;
  std::vector<Lane> lanes_;  // all of these constant after construction

  mutable std::mutex published_mutex_;  // held for moments only, as a step with its files is not
  RecoveryStatus published_;            // writers and what was drained of them; protected by published_mutex_

  mutable std::mutex mutex_;                    // protects everything below
  std::size_t first_turn_ = 0;                  // whose turn is first: lanes, then all writers
  std::vector<std::unique_ptr<Drain>> drains_;  // oldest first
  std::map<model::WriterId, Unreadable> unreadable_;
  std::optional<base::SteadyTime> scan_at_;
  bool found_all_ = false;  // the last scan left no dead writer aside for want of room
  bool scan_failed_ = false;
  std::uint64_t finished_writer_count_ = 0;
  DispatcherCounters finished_counters_;
};

}  // namespace arca::flow
