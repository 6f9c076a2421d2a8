// What recovery tells people: status, progress of a single pass, and the plan without the deed.
#include <algorithm>

#include "flow/recovery.hpp"

namespace arca::flow {

namespace {

constexpr base::Duration progress_interval = std::chrono::milliseconds(200);

std::uint64_t items_of(const std::array<std::uint64_t, model::signal_count>& counts) noexcept {
  std::uint64_t items = 0;
  for (const std::uint64_t count : counts) items += count;
  return items;
}

}  // namespace

DoneItems done_items(const DispatcherCounters& counters) noexcept {
  const std::uint64_t refused = items_of(counters.refused_item_count);
  return {.delivered = items_of(counters.of(model::Verdict::delivered).item_count) - refused,
          .parked = items_of(counters.of(model::Verdict::parked).item_count),
          .quarantined = items_of(counters.of(model::Verdict::rejected).item_count) + refused};
}

std::string_view to_string(RecoveryWriter::State state) noexcept {
  switch (state) {
    case RecoveryWriter::State::live:
      return "live";
    case RecoveryWriter::State::waiting:
      return "waiting";
    case RecoveryWriter::State::draining:
      return "draining";
    case RecoveryWriter::State::unreadable:
      return "unreadable";
  }
  return "?";
}

RecoveryReport Recovery::drain_once(base::SteadyTime deadline,
                                    const std::function<void(const RecoveryProgress&)>& progress,
                                    const std::stop_token& stop) {
  RecoveryReport drain_report;
  const base::SteadyTime begin = clock_.steady_now();
  {
    const std::lock_guard lock(mutex_);
    scan_at_ = begin;
  }
  base::SteadyTime tell_at = begin;
  for (base::SteadyTime now = begin; now < deadline && !stop.stop_requested(); now = clock_.steady_now()) {
    const std::uint64_t seen = wake_up_->count();
    const base::SteadyTime wake = step(now);
    {
      const std::lock_guard lock(mutex_);
      drain_report.complete = is_idle();
    }
    if (drain_report.complete) break;
    if (progress && now >= tell_at) {
      progress(progress_since(begin, now));
      tell_at = now + progress_interval;
    }
    const base::SteadyTime latest = progress ? std::min(deadline, tell_at) : deadline;
    wake_up_->wait(seen, std::min(wake, latest), stop);
  }
  if (!drain_report.complete) stop_all();
  drain_report.progress = progress_since(begin, clock_.steady_now());
  drain_report.status = status();
  if (progress) progress(drain_report.progress);
  return drain_report;
}

bool Recovery::is_idle() const {
  if (!drains_.empty() || !found_all_ || scan_failed_) return false;
  return std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) {
    if (lane.dispatcher->in_flight_count() > 0) return false;
    return lane.what.is_drained ? lane.what.is_drained() : lane.what.source->backlog().chunk_count == 0;
  });
}

RecoveryProgress Recovery::progress_since(base::SteadyTime begin, base::SteadyTime now) const {
  const RecoveryStatus now_status = status();
  RecoveryProgress made;
  made.bytes_done = now_status.counters.settled_bytes;
  made.items_done = done_items(now_status.counters);
  made.bytes_left = now_status.own_journal.bytes;
  made.items_left = items_of(now_status.own_journal.item_count);
  for (const RecoveryLaneStatus& lane : now_status.lanes) {
    made.bytes_left += lane.backlog.bytes;
    made.items_left += items_of(lane.backlog.item_count);
  }
  made.writers_done = now_status.finished_writer_count;
  for (const RecoveryWriter& writer : now_status.writers) {
    if (writer.state == RecoveryWriter::State::unreadable) continue;
    made.bytes_left += writer.backlog.bytes;
    made.items_left += items_of(writer.backlog.item_count);
    ++made.writers_left;
  }
  const double seconds = std::chrono::duration<double>(now - begin).count();
  if (seconds > 0) made.bytes_per_second = static_cast<double>(made.bytes_done) / seconds;
  if (made.bytes_per_second > 0) {
    const double left = static_cast<double>(made.bytes_left) / made.bytes_per_second;
    made.time_left = base::Duration(static_cast<std::int64_t>(std::min(left, 1e9) * 1e9));
  }
  return made;
}

Result<RecoveryStatus> Recovery::dry_run() {
  const Result<std::vector<journal::WriterEntry>> all = writers_.list();
  if (!all) return failure(all.error());
  RecoveryStatus plan;
  if (own_journal_ != nullptr) plan.own_journal = own_journal_->backlog();
  for (const Lane& lane : lanes_) {
    if (lane.what.source != own_journal_) plan.lanes.push_back({lane.what.name, lane.what.source->backlog()});
  }
  for (const journal::WriterEntry& entry : *all) {
    RecoveryWriter writer;
    writer.id = entry.id;
    writer.state = entry.live ? RecoveryWriter::State::live : RecoveryWriter::State::waiting;
    if (!entry.live) {
      const Result<std::unique_ptr<DeadWriter>> dead = writers_.adopt(entry.id);
      if (dead) {
        writer.backlog = DeadWriterSource(**dead).backlog();
        writer.note = (*dead)->missing();
      } else if (dead.error().code() == ErrorCode::busy) {
        writer.state = RecoveryWriter::State::live;
      } else if (dead.error().code() == ErrorCode::not_found) {
        continue;
      } else {
        writer.state = RecoveryWriter::State::unreadable;
        writer.note = dead.error().message();
      }
    }
    plan.writers.push_back(std::move(writer));
  }
  return plan;
}

}  // namespace arca::flow
