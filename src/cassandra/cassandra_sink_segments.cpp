// Segments of CassandraSink: opened, rotated, sealed, and watched until somebody has replayed them.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "base/crash_point.hpp"
#include "cassandra/cassandra_sink_state.hpp"
#include "cassandra/segment_account.hpp"

namespace arca::cassandra {
namespace {

using model::Verdict;

constexpr base::Duration pace = std::chrono::milliseconds(100);  // of tend(), while anything is under way
constexpr base::Duration idle_pace = std::chrono::seconds(1);
constexpr std::int32_t chunks_max = 10'000;  // of a segment: its seal may have to name each of them
constexpr std::size_t watched_max = 16;      // at a time: segments are replayed oldest first

template <class Container>
void erase_from(Container& all, const typename Container::value_type& one) {
  all.erase(std::remove(all.begin(), all.end(), one), all.end());
}

}  // namespace

void Later::run() noexcept {
  for (const std::function<void()>& call : calls_) {
    try {
      call();
    } catch (const std::exception& error) {
      os::log(os::LogLevel::error, "parking in Cassandra: {}", error.what());
    }
  }
}

// --- open ----------------------------------------------------------------------------------------

CassandraSink::State::Segment CassandraSink::State::segment_for(model::Signal signal, Later& later) {
  // Metrics keep to one stripe, so that their order is that of their segments. The others go where least is under way:
  // a trickle needs one segment, a flood all of them.
  std::size_t best = 0;
  if (signal != model::Signal::metrics) {
    const auto load = [&](std::size_t stripe) { return stripes_[stripe] ? stripes_[stripe]->under_way_count : 0; };
    for (std::size_t i = 1; i < stripes_.size(); ++i)
      if (load(i) < load(best)) best = i;
  }
  const Segment now = stripes_[best];
  if (now != nullptr) {
    const bool is_full = now->asked_bytes >= options_.segment_bytes || now->next_position >= chunks_max;
    if (!is_full && age_of(*now) < taking_time_) return now;
    close(now, later);
  }
  return open(static_cast<std::uint32_t>(best), later);
}

CassandraSink::State::Segment CassandraSink::State::open(std::uint32_t stripe, Later& later) {
  auto segment = std::make_shared<ParkingSegment>();
  // Later segments bear later times, also when the wall clock is set back: recovery goes by them.
  last_opened_at_ = std::max(clock_.wall_now(), last_opened_at_ + std::chrono::milliseconds(1));
  SegmentHead& head = segment->head;
  head.name = {bucket_of(last_opened_at_), shard_of(options_.writer), random_uuid(random_)};
  head.writer = options_.writer;
  head.host = options_.host;
  head.opened_at = last_opened_at_;
  head.purpose = options_.purpose;
  segment->opened_at = clock_.boot_now();
  segment->last_used_at = clock_.steady_now();
  send_head(segment, later);
  unsealed_.push_back(segment);
  stripes_[stripe] = segment;
  return segment;
}

void CassandraSink::State::send_head(const Segment& segment, Later& later) {
  later.add([self = shared_from_this(), segment] {
    base::crash_point("park.segment.before_open");
    const auto take = [self, segment](const StoreStatus& status) { self->take_opened(segment, status); };
    ask([&] { self->store_.open_segment(segment->head, take); }, take);
  });
  segment->retry_at.reset();
}

void CassandraSink::State::take_opened(const Segment& segment, const StoreStatus& status) {
  guarded([&](Later& later) {
    if (status.ok()) {
      base::crash_point("park.segment.opened");
      segment->is_opened = true;
      ++account_.segment_count;
      segment->failure_count = 0;
      const std::vector<Delivery> queue = std::exchange(segment->queue, {});
      const bool is_too_old = age_of(*segment) >= taking_time_;
      if (is_too_old) close(segment, later);
      for (const Delivery& delivery : queue) {
        if (delivery->is_answered) continue;
        if (is_too_old) {  // answers would come too late; nothing was sent yet
          segment->uncounted.erase(delivery->stored.position);
          place(delivery, later);
          --segment->under_way_count;
        } else {
          send(delivery, segment, later);
        }
      }
      seal_if_quiet(segment, later);
      return;
    }
    ++segment->failure_count;
    // Chunks wait for it that were surely not written, so the next tier gets them soon.
    segment->retry_at =
        retry_time_of(status, false, segment->queue.empty() ? base::SteadyTime{} : segment->queue.front()->begun_at,
                      segment->failure_count, *segment);
    if (!segment->retry_at) give_up_opening(segment, status, later);
  });
}

void CassandraSink::State::give_up_opening(const Segment& segment, const StoreStatus& status, Later& later) {
  segment->is_closed = true;
  segment->is_ended = true;
  std::replace(stripes_.begin(), stripes_.end(), segment, Segment());
  erase_from(unsealed_, segment);
  const bool is_refused = status.outcome == Outcome::refused;
  const std::vector<Delivery> queue = std::exchange(segment->queue, {});
  for (const Delivery& delivery : queue) {
    if (delivery->is_answered) continue;
    // What a former segment may hold is not sent on as if it were nowhere.
    answer(delivery, delivery->was_unknown ? Verdict::unknown : Verdict::retry,
           is_refused ? advice_of(status) : "Cassandra: " + status.message, later,
           is_refused ? std::optional<base::Duration>(std::chrono::seconds(5)) : std::nullopt);
    detach(delivery, later);
  }
}

// --- close and seal ------------------------------------------------------------------------------

void CassandraSink::State::close(const Segment& segment, Later& later) {
  if (segment->is_closed) return;
  segment->is_closed = true;
  std::replace(stripes_.begin(), stripes_.end(), segment, Segment());
  seal_if_quiet(segment, later);
}

// A sealed segment is whole at once for every recoverer: so no chunk may be on its way into it that will be counted.
void CassandraSink::State::seal_if_quiet(const Segment& segment, Later& later) {
  const bool is_quiet = segment->is_closed && segment->is_opened && segment->under_way_count == 0;
  if (!is_quiet || segment->is_sealing || segment->is_ended) return;
  segment->failure_count = 0;
  segment->sealed_at = clock_.wall_now();
  if (rows_ != nullptr) {
    later.add([self = shared_from_this(), segment] { self->rows_->end(segment->head.name, segment->next_position); });
  }
  send_seal(segment, later);
  segment->is_sealing = true;  // last: without memory for it tend() tries again
}

void CassandraSink::State::send_seal(const Segment& segment, Later& later) {
  later.add([self = shared_from_this(), segment, summary = segment->final_summary()] {
    base::crash_point("park.segment.before_seal");
    const auto take = [self, segment](const StoreStatus& status) { self->take_sealed(segment, status); };
    ask([&] { self->store_.seal_segment(segment->head.name, segment->sealed_at, summary, take); }, take);
  });
  segment->retry_at.reset();
}

void CassandraSink::State::take_sealed(const Segment& segment, const StoreStatus& status) {
  guarded([&](Later& later) {
    if (status.ok()) base::crash_point("park.segment.sealed");
    ++segment->failure_count;
    // A recoverer waits for the lifetime and the margin anyway; later than that, sealing helps nobody.
    if (status.ok() || age_of(*segment) > options_.lifetime + options_.margin) {
      end(segment, later);
    } else {
      segment->retry_at = clock_.steady_now() + backoff(segment->failure_count);
    }
  });
}

void CassandraSink::State::end(const Segment& segment, Later& /*later*/) {
  segment->is_ended = true;
  erase_from(unsealed_, segment);
  // An archive is not replayed, an empty segment is of no interest.
  if (options_.purpose != Purpose::overflow || segment->is_empty()) return;
  WaitingSegment waiting{.name = segment->head.name,
                         .opened_at = segment->head.opened_at,
                         .sealed_at = segment->sealed_at,
                         .summary = segment->final_summary()};
  waiting.summary.services = {};
  waiting_.push_back(std::move(waiting));
}

bool CassandraSink::State::seal_all(base::SteadyTime deadline) {
  for (;;) {
    const base::SteadyTime now = clock_.steady_now();
    guarded([&](Later& later) {
      const std::vector<Segment> open(stripes_.begin(), stripes_.end());
      for (const Segment& segment : open)
        if (segment != nullptr) close(segment, later);
    });
    tend(now);
    std::unique_lock lock(mutex_);
    if (unsealed_.empty()) return true;
    if (now >= deadline) return false;
    changed_.wait_for(lock, std::chrono::milliseconds(5));
  }
}

// --- what time does ------------------------------------------------------------------------------

base::SteadyTime CassandraSink::State::tend(base::SteadyTime now) {
  base::SteadyTime next = now + idle_pace;
  guarded([&](Later& later) {
    std::vector<Delivery> due;
    for (const Delivery& delivery : deliveries_) {
      // Without a time to be tried again: memory ran out before it was sent.
      const bool was_forgotten = !delivery->retry_at && !delivery->is_under_way && delivery->segment->is_opened;
      const bool is_due = was_forgotten || (delivery->retry_at && *delivery->retry_at <= now);
      if (is_due && !delivery->is_answered) due.push_back(delivery);
    }
    for (const Delivery& delivery : due) {
      if (age_of(*delivery->segment) < options_.lifetime) {
        send(delivery, delivery->segment, later);
        continue;
      }
      answer(delivery, delivery->was_unknown ? Verdict::unknown : Verdict::retry,
             "Cassandra did not answer while the segment took chunks", later);
      detach(delivery, later);
    }
    tend_segments(now, later);
    watch(now, later);
    if (!unsealed_.empty() || !deliveries_.empty()) next = now + pace;
    if (!waiting_.empty()) next = std::min(next, std::max(next_watch_at_, now + std::chrono::milliseconds(1)));
  });
  return next;
}

void CassandraSink::State::tend_segments(base::SteadyTime now, Later& later) {
  const std::vector<Segment> all(unsealed_.begin(), unsealed_.end());
  for (const Segment& segment : all) {
    const bool is_due = segment->retry_at && *segment->retry_at <= now;
    if (!segment->is_opened) {
      if (is_due) send_head(segment, later);
      continue;
    }
    const bool is_idle = segment->under_way_count == 0 && now - segment->last_used_at >= options_.idle_time;
    if (!segment->is_closed && (is_idle || age_of(*segment) >= taking_time_)) close(segment, later);
    if (segment->is_sealing && is_due) send_seal(segment, later);
    seal_if_quiet(segment, later);  // if nobody could when its last chunk was settled
  }
}

// --- what becomes of it --------------------------------------------------------------------------

void CassandraSink::State::watch(base::SteadyTime now, Later& later) {
  if (asked_count_ > 0 || waiting_.empty()) return;
  if (now < next_watch_at_ && !std::exchange(any_replayed_, false)) return;
  next_watch_at_ = now + options_.watch_interval;
  for (std::size_t i = 0; i < std::min(waiting_.size(), watched_max); ++i) {
    later.add([self = shared_from_this(), name = waiting_[i].name] {
      const auto take = [self, name](const StoreStatus& status, const std::optional<SegmentEntry>& entry) {
        self->take_watched(name, status, entry);
      };
      ask([&] { self->store_.read_segment(name, take); },
          [&](const StoreStatus& status) { take(status, std::nullopt); });
    });
    ++asked_count_;
  }
}

void CassandraSink::State::take_watched(const SegmentName& name, const StoreStatus& status,
                                        const std::optional<SegmentEntry>& entry) {
  guarded([&](Later& later) {
    --asked_count_;
    if (!status.ok()) return;  // asked again
    const auto watched_end = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), watched_max));
    const auto segment =
        std::find_if(waiting_.begin(), watched_end, [&](const auto& each) { return each.name == name; });
    if (segment == watched_end) return;
    if (!entry) {
      ++account_.missing_segment_count;
      os::log(os::LogLevel::error, "segment {} is no longer in Cassandra's directory", to_string(name.id));
      settle(*segment, segment->found, segment->quarantined);
      waiting_.erase(segment);
      return;
    }
    if (!entry->replayed_at) return;
    ItemCounts found = found_items(*entry, segment->summary.uncounted);
    ItemCounts quarantined = segment->quarantined;
    bool is_complete = true;
    for (std::size_t i = 0; i < model::signal_count; ++i) {
      found[i] += segment->found[i];
      quarantined[i] += entry->quarantined_items[i];
      is_complete = is_complete && found[i] >= segment->summary.item_count[i];
    }
    any_replayed_ = true;
    if (entry->moved_to) {
      segment->name = *entry->moved_to;
      segment->summary.uncounted = {};  // they were left behind
      segment->found = found;
      segment->quarantined = quarantined;
    } else if (is_complete || (entry->sealed_at && is_over(*entry))) {
      settle(*segment, found, quarantined);
      waiting_.erase(segment);
    } else if (!entry->sealed_at) {
      // Somebody has ended it who could not know what is in it: the seal never arrived, or our clock stood still.
      later.add([self = shared_from_this(), name, at = segment->sealed_at, summary = segment->summary] {
        self->store_.seal_segment(name, at, summary, [](const StoreStatus&) {});
      });
    }
  });
}

void CassandraSink::State::settle(const WaitingSegment& segment, const ItemCounts& found,
                                  const ItemCounts& quarantined) {
  std::uint64_t lost_count = 0;
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    lost_count += segment.summary.item_count[i] - std::min(segment.summary.item_count[i], found[i]);
  }
  if (lost_count > 0) {  // said before it is counted: the text may be too much for the memory
    os::log(os::LogLevel::error,
            "{} items in segment {} are lost: Cassandra had acknowledged them, and has them no more", lost_count,
            to_string(segment.name.id));
  }
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    const std::uint64_t items = segment.summary.item_count[i];
    const std::uint64_t found_of_them = std::min(items, found[i]);
    const std::uint64_t rejected = std::min(found_of_them, quarantined[i]);
    account_.quarantined[i] += rejected;
    account_.delivered[i] += found_of_them - rejected;
    account_.lost[i] += items - found_of_them;
  }
  if (segment.summary.item_count[model::index_of(model::Signal::metrics)] > 0)
    metric_segments_.fetch_sub(1, std::memory_order_release);
}

ParkedAccount CassandraSink::State::account() const {
  const std::lock_guard lock(mutex_);
  ParkedAccount all = account_;
  all.open_segment_count = unsealed_.size();
  all.waiting_segment_count = waiting_.size();
  if (!waiting_.empty()) all.oldest = waiting_.front().opened_at;
  for (const Segment& segment : unsealed_) {
    if (segment->is_empty()) continue;
    all.oldest = std::min(all.oldest.value_or(segment->head.opened_at), segment->head.opened_at);
  }
  return all;
}

}  // namespace arca::cassandra
