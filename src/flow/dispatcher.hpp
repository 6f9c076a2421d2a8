// Dispatcher: the machine that moves all telemetry. It claims chunks from a ChunkSource, submits them to a Sink and
// settles or releases them by the acks. The live lane runs one between the pool and the router, recovery one for each
// store that nobody tends.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "flow/doorbell.hpp"
#include "flow/rate_limiter.hpp"
#include "flow/report.hpp"
#include "flow/retry_policy.hpp"
#include "model/chunk_source.hpp"
#include "model/sink.hpp"
#include "os/clock.hpp"

namespace arca::flow {

struct DispatcherOptions {
  std::string name = "dispatcher";  // in reports
  model::SignalSet signals = model::SignalSet::all();
  std::uint32_t in_flight_max = 8;  // chunks claimed and not yet settled: the bound of its memory
  BackoffOptions retry;             // for single chunks that were not taken
  BackoffOptions fault{.initial = std::chrono::milliseconds(100),
                       .max = std::chrono::seconds(30)};  // for a source that fails
  std::shared_ptr<RateLimiter> rate_limiter = {};         // empty: no limit
  // While it says true nothing is claimed, but for one chunk every yield_max, so that nobody starves.
  std::function<bool()> yields = {};
  base::Duration yield_interval = std::chrono::milliseconds(50);
  base::Duration yield_max = std::chrono::seconds(5);
  // Called before a chunk is settled of which items were refused, all or some, and that no tier keeps; must keep it
  // durably (the quarantine), after which the ack says Tier::journal. A failure is retried, but for ErrorCode::full:
  // the chunk is settled all the same, and what was refused of it is lost. (It would else fill the window, and hold up
  // all that the Collector would take.)
  std::function<Result<void>(const model::Chunk&, const model::Ack&)> keep_rejected = {};
  std::shared_ptr<Doorbell> wake_up = {};   // rung when step() is worth calling; empty: its own
  std::shared_ptr<Doorbell> progress = {};  // rung after each settled chunk; empty: its own
  // Whether drain() ends deliveries of the sink at its deadline. Not for a sink that others use too.
  bool cancels_sink = true;
  base::Duration cancel_grace = std::chrono::milliseconds(100);  // how long drain() then waits for the acks
  Random random = {};
  Report report = {};
};

struct DispatcherCounters {
  struct PerVerdict {
    std::uint64_t chunk_count = 0;
    std::array<std::uint64_t, model::signal_count> item_count{};
  };
  std::array<PerVerdict, 5> verdicts{};     // see of()
  std::uint64_t submitted_chunk_count = 0;  // every attempt
  std::uint64_t submitted_bytes = 0;
  std::uint64_t settled_bytes = 0;
  std::array<std::uint64_t, model::signal_count> refused_item_count{};  // partial success
  std::uint64_t ignored_ack_count = 0;                                  // second or foreign acks
  std::uint64_t source_error_count = 0;                                 // failed claims
  std::uint64_t settle_error_count = 0;
  std::uint64_t restart_count = 0;  // after a broken invariant of ours

  [[nodiscard]] const PerVerdict& of(model::Verdict verdict) const {
    return verdicts[static_cast<std::size_t>(verdict) - 1];
  }
  [[nodiscard]] PerVerdict& of(model::Verdict verdict) { return verdicts[static_cast<std::size_t>(verdict) - 1]; }
  DispatcherCounters& operator+=(const DispatcherCounters& other) noexcept;
};

struct DrainReport {
  bool complete = false;              // the source is empty
  std::uint32_t abandoned_count = 0;  // chunks whose ack did not come in time; they stay durable
};

// step() and run() belong to one thread; everything else is thread-safe. `source` and `clock` outlive it. So does
// `sink`, but acks may arrive after the dispatcher is gone: they are dropped, and the chunks stay with their source.
class Dispatcher {
 public:
  Dispatcher(model::ChunkSource& source, model::Sink& sink, os::Clock& clock, DispatcherOptions options);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // Takes the acks that have arrived, then claims and submits as much as window, sink and limits allow. Returns when
  // to call again if the doorbell does not ring before. Never throws, never waits.
  base::SteadyTime step(base::SteadyTime now);
  // Steps and sleeps until stop is requested or a drain has ended.
  void run(const std::stop_token& stop);

  // Goes on until the source is empty, nothing can move before the deadline, or the deadline has passed; then
  // cancels, collects outstanding acks and releases what is unsettled. Afterwards the dispatcher rests for good.
  // Needs somebody who steps: a thread in run(), or the caller through drain_here().
  void begin_drain(base::SteadyTime deadline);
  [[nodiscard]] std::optional<DrainReport> drained() const;
  // begin_drain, then waits for the thread in run().
  DrainReport drain(base::SteadyTime deadline);
  // begin_drain, then steps on the calling thread. Requires: no thread is in run().
  DrainReport drain_here(base::SteadyTime deadline);

  // Waits until the predicate holds, asking again after each settled chunk; false if the deadline passed first.
  bool wait_until(const std::function<bool()>& predicate, base::SteadyTime deadline);
  [[nodiscard]] const std::shared_ptr<Doorbell>& progress() const noexcept { return options_.progress; }
  // Makes run() take a step: something that only the owner knows of has changed.
  void wake();

  [[nodiscard]] DispatcherCounters counters() const;
  [[nodiscard]] std::uint32_t in_flight_count() const;

 private:
  struct Inbox;
  struct Flight {
    model::Chunk chunk;
    std::uint32_t attempt_number = 1;
    std::uint64_t submission = 0;  // tells an ack of this attempt from a late one of an earlier attempt
  };
  struct Unsettled {  // has its verdict, but the source has not recorded it yet
    Flight flight;
    model::Ack ack;
    std::uint32_t failure_count = 0;
    base::SteadyTime retry_at{};
  };
  struct Drain {
    base::SteadyTime deadline;
    std::optional<base::SteadyTime> give_up_at;  // set once cancelled
  };

  base::SteadyTime turn(base::SteadyTime now);
  base::SteadyTime restart(base::SteadyTime now, const char* what);
  void take_acks(base::SteadyTime now);
  void handle(model::Ack ack, std::uint64_t submission, base::SteadyTime now);
  void release(const Flight& flight, const model::Ack& ack, base::SteadyTime now);
  void note_end_of_outage(const model::Ack& ack, base::SteadyTime now);
  base::SteadyTime settle_due(base::SteadyTime now);
  Result<void> settle(Unsettled& unsettled);
  void count(const Flight& flight, const model::Ack& ack);
  base::SteadyTime fill_window(base::SteadyTime now);
  base::SteadyTime held_back_until(base::SteadyTime now);
  using AskAgain = std::array<base::SteadyTime, model::signal_count>;  // when to ask about a signal that is not ready
  model::SignalSet ready_signals(base::SteadyTime now, AskAgain& ask_again_at);
  bool claim_one(model::SignalSet signals, base::SteadyTime now);
  void submit(model::Claim claim, base::SteadyTime now);
  base::SteadyTime next_claim_at(base::SteadyTime now, model::SignalSet ready, const AskAgain& ask_again_at);
  base::SteadyTime drain_turn(const Drain& drain, base::SteadyTime wake, base::SteadyTime now);
  void end_drain(base::SteadyTime now);
  [[nodiscard]] std::size_t held_count() const noexcept { return flights_.size() + unsettled_.size(); }
  void publish_in_flight();

  // Constant after construction.
  model::ChunkSource& source_;
  model::Sink& sink_;
  os::Clock& clock_;
  DispatcherOptions options_;
  std::shared_ptr<Inbox> inbox_;

  // Touched by the stepping thread only.
  std::unordered_map<model::ChunkId, Flight> flights_;
  std::vector<Unsettled> unsettled_;
  std::uint32_t metric_count_ = 0;  // metric chunks claimed and not yet settled or released
  std::uint64_t submission_ = 0;
  std::uint32_t claim_failure_count_ = 0;
  std::uint32_t restart_failure_count_ = 0;
  base::SteadyTime claim_again_at_{};  // after a failed claim or a restart
  std::optional<base::SteadyTime> yielding_since_;
  std::uint32_t failure_count_ = 0;      // attempts in a row that the sink did not take
  base::SteadyTime last_taken_at_{};     // when it took the last one
  base::SteadyTime named_wait_until_{};  // the longest wait that an answer has named
  bool giving_back_ = false;             // a drain is past its deadline

  mutable std::mutex mutex_;
  DispatcherCounters counters_;  // these protected by mutex_
  std::uint32_t in_flight_published_ = 0;
  std::optional<Drain> drain_;
  std::optional<DrainReport> drain_report_;
};

}  // namespace arca::flow
