#include "simulation/process.hpp"

#include <filesystem>
#include <utility>

namespace arca::simulation {
namespace {

constexpr std::chrono::milliseconds tier_poll{200};
constexpr std::chrono::seconds sync_interval{1};

std::vector<std::byte> scope_of_simulation() {
  constexpr std::string_view fields("\x0A\x05\x0A\x03sim", 7);  // ScopeX.scope.name
  const base::Bytes bytes = base::as_bytes(fields);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Process::Process(Host& host, const Surroundings& surroundings, ProcessOptions options, std::uint64_t seed)
    : host_(host),
      surroundings_(surroundings),
      options_(std::move(options)),
      dice_(seed, options_.name),
      writer_{dice_.next()},
      resource_(resource_of(options_.name)),
      scope_(resource_, scope_of_simulation()) {
  life_->set_last_act([this] { save_pools(); });
}

std::unique_ptr<Process> Process::start(Host& host, const Surroundings& surroundings, const ProcessOptions& options,
                                        std::uint64_t seed) {
  std::unique_ptr<Process> process(new Process(host, surroundings, options, seed));
  const auto assembled = process->assemble();
  if (assembled && process->life_->runs()) {
    surroundings.world.note("{} starts as writer {} on host {}", options.name, model::to_string(process->writer_),
                            host.number());
    return process;
  }
  surroundings.world.note("{} cannot start: {}", options.name, assembled ? "it died" : assembled.error().message());
  process->life_->die();
  return nullptr;
}

Process::~Process() {
  life_->die();
  take_apart();
  for (const auto& [path, bytes] : pool_images_) write_real_file(path, bytes);
}

// What is mapped goes on to be written to until the call that the process died in has returned.
void Process::save_pools() {
  if (has_ended_) return;
  for (const auto& [id, writer] : host_.writers) {
    if (writer.owner.lock() == life_ && std::filesystem::exists(writer.pool_path))
      pool_images_[writer.pool_path] = read_real_file(writer.pool_path);
  }
}

void Process::record(model::Signal signal, RecordNumber number, std::size_t size) {
  const bool taken = recorder_.record(signal, scope_, make_record(signal, number, size), 1);
  if (life_->is_dead()) return;  // it never learnt
  if (taken) {
    surroundings_.oracle.accepted(number, signal, writer_, host_.number());
  } else {
    surroundings_.oracle.refused();
  }
}

template <class Step>
void Process::turn(Lane& lane, base::SteadyTime now, Step step) {
  if (!life_->runs() || has_ended_ || !lane.is_due(now)) return;
  lane.heard = lane.bell->count();
  lane.wake_at = step();
}

base::SteadyTime Process::wake_at() const {
  base::SteadyTime wake = base::never;
  for (const Lane* lane : {&live_lane_, &recovery_lane_, &tier_lane_, &sync_lane_}) {
    if (lane->bell->count() != lane->heard) return surroundings_.world.now();
    wake = std::min(wake, lane->wake_at);
  }
  return std::max(surroundings_.world.now(), wake);
}

void Process::step() {
  const base::SteadyTime now = host_.clock.steady_now();
  turn(live_lane_, now, [&] { return live_->step(now); });
  turn(recovery_lane_, now, [&] { return recovery_->step(now); });
  turn(tier_lane_, now, [&] { return step_tier(now); });
  turn(sync_lane_, now, [&] {
    static_cast<void>(journal_->sync());
    static_cast<void>(quarantine_->sync());
    return now + sync_interval;
  });
  if (ends_by_ && life_->runs() && !has_ended_ && live_->drained()) end();
}

// As CassandraTier's thread.
base::SteadyTime Process::step_tier(base::SteadyTime now) {
  if (!own_) return base::never;
  const bool is_well = std::all_of(model::all_signals.begin(), model::all_signals.end(),
                                   [&](model::Signal signal) { return guarded_collector_->is_closed(signal); });
  if (!std::exchange(collector_was_well_, is_well) && is_well) {
    own_->seal_all(now);
    foreign_->seal_all(now);
    if (parked_) parked_->scan_now();
  }
  const base::SteadyTime next = std::min(own_->tend(now), foreign_->tend(now));
  return std::min(next, now + tier_poll);
}

void Process::begin_shutdown(base::Duration time) {
  const base::SteadyTime now = host_.clock.steady_now();
  surroundings_.world.note("{} begins to end", options_.name);
  recorder_.close(host_.clock, now);
  pool_->seal_all();
  ends_by_ = now + time;
  live_->begin_drain(now + time * 3 / 4);
  live_lane_.wake_at = now;
}

// As Pipeline::end.
void Process::end() {
  const base::SteadyTime now = host_.clock.steady_now();
  guarded_collector_->cancel_all();
  recovery_.reset();
  if (own_) {
    own_->seal_all(now);
    foreign_->seal_all(now);
    if (parked_) parked_->close(now);
  }
  static_cast<void>(spiller_->spill_all(*ends_by_));
  const bool is_empty = pool_->empty() && journal_->backlog().chunk_count == 0;
  model::Totals totals = flow::final_totals(pool_->totals(), journal_->totals(), true);
  pool_->close();
  if (!life_->is_dead()) take_apart();
  if (is_empty && !life_->is_dead()) {
    static_cast<void>(finish_writer(host_, disk_, *life_, surroundings_.oracle, writer_, totals));
  }
  if (life_->is_dead()) return;
  surroundings_.world.note("{} has ended, {}", options_.name, is_empty ? "with nothing left" : "with something left");
  has_ended_ = true;
  life_->die();
}

void Process::take_apart() {
  recorder_.close(host_.clock, host_.clock.steady_now());
  recovery_.reset();
  spiller_.reset();
  live_.reset();
  // The transports first: they call back for everything that is under way.
  if (collector_) collector_->close();
  live_way_.reset();
  journal_way_.reset();
  others_way_.reset();
  parking_for_others_.reset();
  parking_.reset();
  parked_.reset();
  watched_foreign_.reset();
  watched_own_.reset();
  foreign_.reset();
  own_.reset();
  guarded_disk_.reset();
  watched_disk_.reset();
  disk_sink_.reset();
  guarded_collector_.reset();
  collector_.reset();
  pool_.reset();
  journal_.reset();
  quarantine_.reset();
}

bool Process::is_idle() const {
  if (!life_->runs() || !recovery_) return true;
  const flow::RecoveryStatus status = recovery_->status();
  return pool_->empty() && journal_->backlog().chunk_count == 0 && status.writers.empty() &&
         (!parked_ || parked_->is_drained());
}

std::string Process::describe() const {
  if (!recovery_) return options_.name + " has ended";
  const flow::RecoveryStatus status = recovery_->status();
  std::string text = fmt::format("{} (writer {}): pool {}, journal {} chunks", options_.name, model::to_string(writer_),
                                 pool_->empty() ? "empty" : "not empty", journal_->backlog().chunk_count);
  for (const auto& writer : status.writers)
    text += fmt::format(", writer {} {} {} chunks {}", model::to_string(writer.id), to_string(writer.state),
                        writer.backlog.chunk_count, writer.note);
  if (parked_) {
    const auto parked = parked_->status();
    text += fmt::format(", parked: {} segments known, {} waiting, {} leases, {}", parked.segments_known,
                        parked.segments_waiting, parked.leases_held, parked.last_error);
  }
  return text;
}

}  // namespace arca::simulation
