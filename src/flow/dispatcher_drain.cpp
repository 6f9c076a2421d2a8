// The end of a dispatcher: drain within a deadline, then give back what is left.
#include <algorithm>

#include "flow/dispatcher.hpp"

namespace arca::flow {

void Dispatcher::begin_drain(base::SteadyTime deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (!drain_) drain_ = Drain{.deadline = deadline, .give_up_at = {}};
  }
  wake();
}

std::optional<DrainReport> Dispatcher::drained() const {
  const std::lock_guard lock(mutex_);
  return drain_report_;
}

DrainReport Dispatcher::drain(base::SteadyTime deadline) {
  begin_drain(deadline);
  // The stepping thread ends the drain by the deadline and its grace; a second more for a machine under load.
  const base::SteadyTime latest = deadline + options_.cancel_grace + std::chrono::seconds(1);
  wait_until([this] { return drained().has_value(); }, latest);
  return drained().value_or(DrainReport{.complete = false, .abandoned_count = in_flight_count()});
}

DrainReport Dispatcher::drain_here(base::SteadyTime deadline) {
  begin_drain(deadline);
  run({});
  return drained().value_or(DrainReport{});
}

base::SteadyTime Dispatcher::drain_turn(const Drain& drain, base::SteadyTime wake, base::SteadyTime now) {
  if (now < drain.deadline) {
    // Waiting for a moment after the deadline would only keep the caller waiting.
    const bool nothing_moves = held_count() == 0 && (wake > drain.deadline || source_.backlog().chunk_count == 0);
    if (!nothing_moves) return std::min(wake, drain.deadline);
    end_drain(now);
    return base::never;
  }
  giving_back_ = true;
  base::SteadyTime give_up_at = now + options_.cancel_grace;
  if (drain.give_up_at) {
    give_up_at = *drain.give_up_at;
  } else {
    {
      const std::lock_guard lock(mutex_);
      drain_->give_up_at = give_up_at;
    }
    if (options_.cancels_sink && !flights_.empty()) sink_.cancel_all();
    take_acks(now);
    settle_due(now);
  }
  if (!flights_.empty() && now < give_up_at) return give_up_at;
  end_drain(now);
  return base::never;
}

void Dispatcher::end_drain(base::SteadyTime now) {
  DrainReport drain_report;
  drain_report.abandoned_count = static_cast<std::uint32_t>(flights_.size());
  for (const auto& [id, flight] : flights_) source_.release(id, now);
  flights_.clear();
  // A verdict that could not be recorded is as good as none: the chunk goes back too and may be sent twice.
  for (const Unsettled& each : unsettled_) source_.release(each.ack.chunk_id, now);
  unsettled_.clear();
  publish_in_flight();
  drain_report.complete = source_.backlog().chunk_count == 0;
  {
    const std::lock_guard lock(mutex_);
    drain_report_ = drain_report;
  }
  options_.wake_up->ring();
  options_.progress->ring();
}

}  // namespace arca::flow
