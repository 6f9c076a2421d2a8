// Leases of ParkedSource: taken for shards in which there is something to do, given back when there is not, or when
// nothing moves: perhaps somebody else's Collector answers.
#include <algorithm>
#include <utility>

#include "base/crash_point.hpp"
#include "cassandra/parked_source_state.hpp"

namespace arca::cassandra {
namespace {

// A lease counts as over before it is: what is sent at its last moment must still arrive within it.
base::Duration sure_part(std::chrono::seconds ttl) { return base::Duration(ttl) * 5 / 6; }

}  // namespace

bool ParkedSource::State::is_valid(const Shard& shard) const {
  return shard.held.state == Holding::State::held && clock_.boot_now() < shard.held.valid_until;
}

bool ParkedSource::State::has_work(const Shard& shard, base::SteadyTime now) const {
  if (!shard.waiting.empty()) return true;
  const bool has_rest = std::any_of(shard.buckets.begin(), shard.buckets.end(),
                                    [](const auto& each) { return each.second.rest.chunk_count > 0; });
  if (has_rest) return true;
  return std::any_of(shard.segments.begin(), shard.segments.end(),
                     [&](const auto& each) { return each.second->is_undone() || rows_are_due(*each.second, now); });
}

bool ParkedSource::State::has_slots(const Shard& shard) const {
  return std::any_of(active_.begin(), active_.end(), [&](const auto& each) {
    return each.second->shard() == shard.number && !each.second->slots.empty();
  });
}

base::SteadyTime ParkedSource::State::tend_leases(base::SteadyTime now) {
  base::SteadyTime next = base::never;
  std::uint32_t count = 0;
  for (Shard& shard : shards_) {
    Holding& held = shard.held;
    if (held.state != Holding::State::none) ++count;
    if (held.state != Holding::State::held) continue;
    if (!is_valid(shard)) {
      lose(shard);
      continue;
    }
    const bool is_stuck = has_slots(shard) && now - held.moved_at >= base::Duration(options_.lease_ttl);
    if (is_closing_ || !has_work(shard, now)) {
      bool is_settled = true;
      for (const auto& [order, segment] : active_) {
        if (segment->shard() != shard.number) continue;
        const bool is_written = segment->position <= segment->written_position && !segment->is_marking;
        is_settled = is_settled && (is_written || segment->phase != Phase::replaying);
      }
      if (is_settled) give_back(shard, now);
    } else if (is_stuck) {
      give_back(shard, now + stretched(base::Duration(options_.lease_ttl) / 2));
    } else {
      if (!held.is_renewing && now >= held.renew_at) renew_lease(shard);
      next = std::min(next, now + (held.valid_until - clock_.boot_now()));
      if (!held.is_renewing) next = std::min(next, held.renew_at);
      if (has_slots(shard)) next = std::min(next, held.moved_at + base::Duration(options_.lease_ttl));
    }
  }
  return is_closing_ ? next : std::min(next, take_leases(count, now));
}

// The shards whose work is oldest first.
base::SteadyTime ParkedSource::State::take_leases(std::uint32_t count, base::SteadyTime now) {
  base::SteadyTime next = base::never;
  std::vector<Shard*> wanted;
  for (Shard& shard : shards_) {
    if (shard.held.state != Holding::State::none || !shard.is_scanned || !has_work(shard, now)) continue;
    if (shard.held.again_at > now) {
      next = std::min(next, shard.held.again_at);
    } else {
      wanted.push_back(&shard);
    }
  }
  const auto oldest = [](const Shard* shard) {
    return shard->segments.empty() ? SegmentOrder{} : shard->segments.begin()->first;
  };
  std::sort(wanted.begin(), wanted.end(), [&](const Shard* a, const Shard* b) { return oldest(a) < oldest(b); });
  for (Shard* shard : wanted) {
    if (count++ >= options_.shards_max) break;
    take_lease(*shard);
  }
  return next;
}

void ParkedSource::State::take_lease(Shard& shard) {
  const base::SteadyTime sent_at = clock_.boot_now();
  auto answer = later<StoreStatus, Lease>([this, &shard, sent_at](const StoreStatus& status, const Lease& lease) {
    Holding& held = shard.held;
    const base::SteadyTime now = clock_.steady_now();
    held.state = Holding::State::none;
    if (!status.ok()) {
      note_failure("take a lease", status);
      held.again_at = now + backoff(++held.failure_count);
      return;
    }
    held.failure_count = 0;
    held.valid_until = sent_at + sure_part(options_.lease_ttl);
    if (!lease.held || clock_.boot_now() >= held.valid_until) {
      held.again_at = now + stretched(base::Duration(options_.lease_ttl) / 4);
      return;
    }
    base::crash_point("replay.lease.taken");
    held.state = Holding::State::held;
    held.epoch = lease.epoch;
    held.is_renewing = false;
    held.renew_at = now + options_.lease_renewal;
    held.moved_at = now;
  });
  shard.held.state = Holding::State::taking;
  call([this, number = shard.number, answer = std::move(answer)] {
    store_.take_lease(number, owner_, options_.lease_ttl, answer);
  });
}

void ParkedSource::State::renew_lease(Shard& shard) {
  const base::SteadyTime sent_at = clock_.boot_now();
  const std::int64_t epoch = shard.held.epoch;
  auto answer =
      later<StoreStatus, Lease>([this, &shard, sent_at, epoch](const StoreStatus& status, const Lease& lease) {
        Holding& held = shard.held;
        if (held.state != Holding::State::held || held.epoch != epoch) return;
        held.is_renewing = false;
        const base::SteadyTime now = clock_.steady_now();
        if (!status.ok()) {
          note_failure("renew a lease", status);
          held.renew_at = now + std::min<base::Duration>(backoff(++held.failure_count), std::chrono::seconds(1));
          return;
        }
        held.failure_count = 0;
        if (!lease.held) {
          lose(shard);
          return;
        }
        held.valid_until = sent_at + sure_part(options_.lease_ttl);
        held.renew_at = now + options_.lease_renewal;
      });
  shard.held.is_renewing = true;
  call([this, number = shard.number, epoch, answer = std::move(answer)] {
    store_.renew_lease(number, owner_, epoch, options_.lease_ttl, answer);
  });
}

void ParkedSource::State::give_back(Shard& shard, base::SteadyTime not_before) {
  reset(shard);
  shard.held.state = Holding::State::giving_back;
  shard.held.again_at = not_before;
  auto answer = later<StoreStatus>([this, &shard](const StoreStatus& status) {
    if (!status.ok()) note_failure("give a lease back", status);  // it ends by itself
    shard.held.state = Holding::State::none;
  });
  call([this, number = shard.number, epoch = shard.held.epoch, answer = std::move(answer)] {
    store_.release_lease(number, owner_, epoch, answer);
  });
}

// Somebody else may have the shard already: nothing more is claimed, no progress is written.
void ParkedSource::State::lose(Shard& shard) {
  ++status_.lost_lease_count;
  reset(shard);
  shard.held.state = Holding::State::none;
  shard.held.again_at = clock_.steady_now() + stretched(std::chrono::seconds(1));
}

// What was read and given of the shard is forgotten: verdicts that still come find nothing.
void ParkedSource::State::reset(Shard& shard) {
  for (auto& [order, segment] : shard.segments) {
    if (segment->phase != Phase::opening && segment->phase != Phase::replaying) continue;
    forget_slots(*segment);
    segment->phase = Phase::waiting;
    segment->generation = ++generation_;
    segment->again_at = base::SteadyTime::min();
    active_.erase(order);
    shard.waiting.emplace(order, segment.get());
  }
}

}  // namespace arca::cassandra
