#include "flow/recovery.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace arca::flow {

namespace {
constexpr std::uint32_t faults_max = 5;  // in a row, until a writer is set aside
}  // namespace

// One dead writer on its way: reconcile pool and journal, deliver both, finish.
struct Recovery::Drain {
  explicit Drain(std::unique_ptr<DeadWriter> dead, model::WriterId writer_id)
      : id(writer_id), writer(std::move(dead)), source(*writer) {}

  model::WriterId id;
  std::unique_ptr<DeadWriter> writer;
  DeadWriterSource source;
  std::unique_ptr<Dispatcher> dispatcher;  // once reconciled
  std::uint32_t fault_count = 0;           // in a row
  std::uint64_t source_errors_seen = 0;
  std::uint64_t settled_seen = 0;
  bool begun = false;
  std::uint64_t moves_seen = 0;  // what was sent and settled, when it last changed
  base::SteadyTime moved_at{};
  base::SteadyTime again_at = base::SteadyTime::min();
  std::optional<model::Totals> totals;  // once everything is settled
  enum class Phase : std::uint8_t { reconcile, deliver, finish, finished, set_aside } phase = Phase::reconcile;
};

Recovery::Recovery(Writers& writers, model::ChunkSource* own_journal, model::Sink& sink, os::Clock& clock,
                   RecoveryOptions options)
    : writers_(writers),
      own_journal_(own_journal),
      sink_(sink),
      clock_(clock),
      options_(std::move(options)),
      wake_up_(options_.wake_up ? options_.wake_up : std::make_shared<Doorbell>()),
      rate_limiter_(std::make_shared<RateLimiter>(options_.limits)) {
  if (own_journal_ != nullptr) add_lane({.name = "recovery of the own journal", .source = own_journal_});
  for (RecoveryLane& lane : options_.lanes) add_lane(std::move(lane));
  options_.lanes.clear();
}

void Recovery::add_lane(RecoveryLane lane) {
  DispatcherOptions made = dispatcher_options(lane.name);
  made.progress = options_.progress;
  if (lane.in_flight_max > 0) made.in_flight_max = lane.in_flight_max;
  if (lane.keeps_rejected) made.keep_rejected = {};
  model::Sink& sink = lane.sink != nullptr ? *lane.sink : sink_;
  auto dispatcher = std::make_unique<Dispatcher>(*lane.source, sink, clock_, std::move(made));
  lanes_.push_back({std::move(lane), std::move(dispatcher)});
}

Recovery::~Recovery() = default;

void Recovery::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const std::uint64_t seen = wake_up_->count();
    wake_up_->wait(seen, step(clock_.steady_now()), stop);
  }
  stop_all();
}

base::SteadyTime Recovery::step(base::SteadyTime now) {
  const std::lock_guard lock(mutex_);
  try {
    const base::SteadyTime wake = step_locked(now);
    publish_writers();
    return wake;
  } catch (const std::exception& broken) {
    try {
      report(options_.report, Error(ErrorCode::internal, std::string("recovery: ") + broken.what()));
    } catch (const std::exception&) {
      // No memory even for that.
    }
    return now + std::chrono::seconds(1);
  }
}

base::SteadyTime Recovery::step_locked(base::SteadyTime now) {
  if (!scan_at_)
    scan_at_ = now + base::Duration(static_cast<std::int64_t>(static_cast<double>(options_.start_jitter.count()) *
                                                              draw(options_.random)));
  if (now >= *scan_at_) scan(now);
  base::SteadyTime wake = *scan_at_;
  // Each time somebody else comes first, so that with a limited rate nobody takes all of it.
  const std::size_t turn_count = lanes_.size() + 1;
  ++first_turn_;
  for (std::size_t i = 0; i < turn_count; ++i) {
    const std::size_t turn = (first_turn_ + i) % turn_count;
    wake = std::min(wake, turn < lanes_.size() ? step_lane(lanes_[turn], now) : step_writers(now));
  }
  drop_finished();
  return wake;
}

base::SteadyTime Recovery::step_lane(const Lane& lane, base::SteadyTime now) {
  const base::SteadyTime tend_at = lane.what.tend ? lane.what.tend(now) : base::never;
  return std::min(tend_at, lane.dispatcher->step(now));
}

// The oldest first. One that is blocked (its endpoint is away, its files fail) holds up nobody; those that have begun
// go on, so that their answers are taken.
base::SteadyTime Recovery::step_writers(base::SteadyTime now) {
  base::SteadyTime wake = base::never;
  std::uint32_t count = 0;
  bool all_blocked = true;
  const bool held_back = is_held_back(now);
  for (const auto& drain : drains_) {
    if (count++ == options_.drained_max) break;
    if (!drain->begun && (!all_blocked || (held_back && count > 1))) break;
    drain->begun = true;
    const base::SteadyTime next = step_writer(*drain, now);
    wake = std::min(wake, next);
    if (is_blocked(*drain, next, now)) continue;
    all_blocked = false;
    if (drain->phase == Drain::Phase::deliver) wake = std::min(wake, drain->moved_at + options_.stall_time);
  }
  return wake;
}

// By the rate, or by live traffic: that stops all of recovery, and is no reason to begin with another writer.
bool Recovery::is_held_back(base::SteadyTime now) const {
  return rate_limiter_->ready_at(now) > now || (options_.yields && options_.yields());
}

// Whether it can do nothing for itself at this moment, although it would.
bool Recovery::is_blocked(Drain& drain, base::SteadyTime wake, base::SteadyTime now) const {
  if (now < drain.again_at) return true;
  if (drain.phase != Drain::Phase::deliver) return false;
  const DispatcherCounters counters = drain.dispatcher->counters();
  const std::uint64_t moves = counters.submitted_chunk_count + counters.settled_bytes;
  if (std::exchange(drain.moves_seen, moves) != moves) drain.moved_at = now;
  if (wake <= now) return false;
  // With room in its window there is nothing that it may send now; with none it waits for answers.
  return drain.dispatcher->in_flight_count() < options_.in_flight_max || now - drain.moved_at >= options_.stall_time;
}

void Recovery::scan(base::SteadyTime now) {
  const double stretch = 0.75 + 0.5 * draw(options_.random);
  scan_at_ =
      now + base::Duration(static_cast<std::int64_t>(static_cast<double>(options_.scan_interval.count()) * stretch));
  const Result<std::vector<journal::WriterEntry>> all = writers_.list();
  if (!all) {
    if (!std::exchange(scan_failed_, true))
      report(options_.report, all.error().with_context("recovery: list the writers"));
    return;
  }
  scan_failed_ = false;
  found_all_ = true;
  for (const journal::WriterEntry& entry : *all) {
    if (entry.live) continue;
    const bool is_held =
        std::any_of(drains_.begin(), drains_.end(), [&](const auto& each) { return each->id == entry.id; });
    const auto unreadable = unreadable_.find(entry.id);
    if (is_held || (unreadable != unreadable_.end() && unreadable->second.again_at > now)) continue;
    if (drains_.size() >= options_.adopted_max) {
      found_all_ = false;
      break;
    }
    adopt(entry.id, now);
  }
  // Those that are being drained stay first.
  const auto waiting = std::find_if(drains_.begin(), drains_.end(), [](const auto& drain) { return !drain->begun; });
  std::stable_sort(waiting, drains_.end(), [](const auto& a, const auto& b) {
    return a->source.backlog().oldest.value_or(base::WallTime::max()) <
           b->source.backlog().oldest.value_or(base::WallTime::max());
  });
}

void Recovery::adopt(model::WriterId id, base::SteadyTime now) {
  Result<std::unique_ptr<DeadWriter>> dead = writers_.adopt(id);
  if (!dead) {
    // Alive after all, or somebody else was faster.
    if (dead.error().code() == ErrorCode::busy || dead.error().code() == ErrorCode::not_found) return;
    set_aside(id, dead.error(), now);
    return;
  }
  unreadable_.erase(id);
  if (const std::string missing = (*dead)->missing(); !missing.empty()) {
    report(options_.report, Error(ErrorCode::not_found, "recovery of writer " + model::to_string(id) + ": " + missing));
  }
  drains_.push_back(std::make_unique<Drain>(std::move(*dead), id));
}

base::SteadyTime Recovery::step_writer(Drain& drain, base::SteadyTime now) {
  if (now < drain.again_at) return drain.again_at;
  switch (drain.phase) {
    case Drain::Phase::reconcile:
      return reconcile(drain, now);
    case Drain::Phase::deliver:
      return deliver(drain, now);
    case Drain::Phase::finish:
      return finish(drain, now);
    default:
      return now;
  }
}

// Before the first chunk of the journal is sent: later the journal no longer knows what it held.
base::SteadyTime Recovery::reconcile(Drain& drain, base::SteadyTime now) {
  const Result<bool> done = drain.source.reconcile_one();
  if (!done) return fault(drain, done.error(), now);
  drain.fault_count = 0;
  if (!*done) return now;
  drain.dispatcher = std::make_unique<Dispatcher>(
      drain.source, sink_, clock_, dispatcher_options("recovery of writer " + model::to_string(drain.id)));
  drain.phase = Drain::Phase::deliver;
  return now;
}

base::SteadyTime Recovery::deliver(Drain& drain, base::SteadyTime now) {
  const base::SteadyTime wake = drain.dispatcher->step(now);
  if (drain.dispatcher->in_flight_count() == 0 && drain.source.backlog().chunk_count == 0) {
    drain.phase = Drain::Phase::finish;
    return now;
  }
  // A source that only fails must not keep the other writers waiting. (It reports its errors itself.)
  const DispatcherCounters counters = drain.dispatcher->counters();
  const std::uint64_t errors = counters.source_error_count + counters.settle_error_count;
  if (counters.settled_bytes != drain.settled_seen || errors == 0) {
    drain.settled_seen = counters.settled_bytes;
    drain.source_errors_seen = errors;
  } else if (errors - drain.source_errors_seen >= faults_max) {
    set_aside(drain.id, Error(ErrorCode::io, "its files fail again and again; see the log"), now);
    drain.phase = Drain::Phase::set_aside;
    return now;
  }
  return wake;
}

base::SteadyTime Recovery::finish(Drain& drain, base::SteadyTime now) {
  DeadWriter& writer = *drain.writer;
  if (!drain.totals) {
    drain.totals = final_totals(writer.pool_totals(), writer.journal_totals(), writer.pool() != nullptr);
    finished_counters_ += drain.dispatcher->counters();
    drain.dispatcher.reset();  // the sources go with finish()
  }
  const model::Totals& totals = *drain.totals;
  if (const Result<void> finished = writer.finish(totals); !finished) return fault(drain, finished.error(), now);
  for (const model::Signal signal : model::all_signals) {
    if (const std::uint64_t lost = totals[model::index_of(signal)].lost; lost > 0) {
      report(options_.report, Error(ErrorCode::corrupt, "recovery of writer " + model::to_string(drain.id) + ": " +
                                                            std::to_string(lost) + " items of " +
                                                            std::string(model::to_string(signal)) + " are lost"));
    }
  }
  drain.phase = Drain::Phase::finished;
  return now;
}

base::SteadyTime Recovery::fault(Drain& drain, const Error& error, base::SteadyTime now) {
  if (++drain.fault_count >= faults_max) {
    set_aside(drain.id, error, now);
    drain.phase = Drain::Phase::set_aside;
    return now;
  }
  drain.again_at = now + backoff_delay(options_.fault, drain.fault_count, options_.random);
  return drain.again_at;
}

// Left alone and never deleted: reported once, shown by status, tried again now and then.
void Recovery::set_aside(model::WriterId id, const Error& error, base::SteadyTime now) {
  const auto [entry, is_new] = unreadable_.try_emplace(id, Unreadable{error, now});
  if (is_new || entry->second.error.message() != error.message()) {
    report(options_.report, error.with_context("recovery of writer " + model::to_string(id) + " is put off"));
  }
  entry->second = Unreadable{error, now + options_.set_aside_time};
}

void Recovery::drop_finished() {
  const auto is_over = [this](const std::unique_ptr<Drain>& drain) {
    if (drain->phase != Drain::Phase::finished && drain->phase != Drain::Phase::set_aside) return false;
    if (drain->phase == Drain::Phase::finished) ++finished_writer_count_;
    if (drain->dispatcher) finished_counters_ += drain->dispatcher->counters();
    return true;
  };
  if (std::erase_if(drains_, is_over) > 0 && drains_.empty() && !found_all_) scan_at_ = base::SteadyTime::min();
}

RecoveryStatus Recovery::status() const {
  RecoveryStatus made;
  {
    const std::lock_guard lock(published_mutex_);
    made = published_;
  }
  if (own_journal_ != nullptr) made.own_journal = own_journal_->backlog();
  for (const Lane& lane : lanes_) {
    made.counters += lane.dispatcher->counters();
    if (lane.what.source != own_journal_) made.lanes.push_back({lane.what.name, lane.what.source->backlog()});
  }
  return made;
}

// Requires mutex_.
void Recovery::publish_writers() {
  RecoveryStatus made;
  made.finished_writer_count = finished_writer_count_;
  made.counters = finished_counters_;
  for (const auto& drain : drains_) {
    RecoveryWriter writer;
    writer.id = drain->id;
    writer.state = drain->begun ? RecoveryWriter::State::draining : RecoveryWriter::State::waiting;
    if (!drain->totals) {
      writer.backlog = drain->source.backlog();
      writer.note = drain->writer->missing();
    }
    if (drain->dispatcher) made.counters += drain->dispatcher->counters();
    made.writers.push_back(std::move(writer));
  }
  for (const auto& [id, unreadable] : unreadable_) {
    RecoveryWriter writer;
    writer.id = id;
    writer.state = RecoveryWriter::State::unreadable;
    writer.note = unreadable.error.message();
    made.writers.push_back(std::move(writer));
  }
  const std::lock_guard lock(published_mutex_);
  published_ = std::move(made);
}

// All at once: together they get stop_grace for their last answers.
void Recovery::stop_all() {
  std::vector<Dispatcher*> running;
  {
    const std::lock_guard lock(mutex_);
    for (const Lane& lane : lanes_) running.push_back(lane.dispatcher.get());
    for (const auto& drain : drains_) {
      if (drain->dispatcher) running.push_back(drain->dispatcher.get());
    }
  }
  const base::SteadyTime deadline = clock_.steady_now();
  for (Dispatcher* dispatcher : running) dispatcher->begin_drain(deadline);
  for (Dispatcher* dispatcher : running) dispatcher->step(clock_.steady_now());
  for (Dispatcher* dispatcher : running) dispatcher->drain_here(deadline);
  const std::lock_guard lock(mutex_);
  publish_writers();
}

DispatcherOptions Recovery::dispatcher_options(const std::string& name) const {
  DispatcherOptions made;
  made.name = name;
  made.in_flight_max = options_.in_flight_max;
  made.retry = options_.retry;
  made.fault = options_.fault;
  made.rate_limiter = rate_limiter_;
  made.yields = options_.yields;
  made.keep_rejected = options_.keep_rejected;
  made.wake_up = wake_up_;
  made.cancels_sink = false;
  made.cancel_grace = options_.stop_grace;
  made.random = options_.random;
  made.report = options_.report;
  return made;
}

}  // namespace arca::flow
