// The directory as ParkedSource sees it: buckets of a shard, in them segments. Of each shard the oldest segments that
// need care are kept; of the others their sum.
#include <algorithm>
#include <utility>

#include "cassandra/parked_source_state.hpp"
#include "cassandra/segment_account.hpp"

namespace arca::cassandra {
namespace {

constexpr std::size_t kept_max = 512;                              // segments of a shard
constexpr base::Duration young = std::chrono::minutes(30);         // such buckets may still grow: seen at each scan
constexpr base::Duration undone_pause = std::chrono::seconds(30);  // others in which something waits
constexpr base::Duration done_pause = std::chrono::minutes(30);    // others: somebody's clock may be wrong
constexpr std::int64_t directory_extra_s = 86'400;                 // a row of the directory lives longer than chunks

}  // namespace

base::SteadyTime ParkedSource::State::tend_scan(base::SteadyTime now) {
  if (scan_.is_running) return base::never;
  if (now < scan_at_) return scan_at_;
  scan_.is_running = true;
  scan_.has_failed = false;
  scan_.shard = 0;
  ++scan_.number;
  scan_shard();
  return base::never;
}

void ParkedSource::State::scan_shard() {
  auto answer = later<StoreStatus, std::vector<base::WallTime>>(
      [this](const StoreStatus& status, const std::vector<base::WallTime>& found) { take_buckets(status, found); });
  call([this, number = scan_.shard, answer = std::move(answer)] { store_.list_buckets(number, answer); });
}

void ParkedSource::State::take_buckets(const StoreStatus& status, const std::vector<base::WallTime>& found) {
  if (!status.ok()) {
    note_failure("list the buckets of the directory", status);
    return end_shard(false);
  }
  Shard& shard = shards_[static_cast<std::size_t>(scan_.shard)];
  for (const base::WallTime bucket : found) shard.buckets.try_emplace(bucket);
  std::erase_if(shard.buckets, [&](const auto& each) {  // their time is over
    return std::find(found.begin(), found.end(), each.first) == found.end();
  });
  const base::SteadyTime now = clock_.steady_now();
  const base::WallTime young_from = clock_.wall_now() - young;
  const bool has_room = shard.segments.size() < kept_max / 2;
  scan_.todo.clear();
  for (auto each = shard.buckets.rbegin(); each != shard.buckets.rend(); ++each) {
    const auto& [time, bucket] = *each;
    const bool can_keep_more = has_room && bucket.rest.chunk_count > 0;
    if (time >= young_from || bucket.again_at <= now || can_keep_more) scan_.todo.push_back(time);
  }
  scan_.todo.empty() ? end_shard(true) : scan_bucket({});
}

void ParkedSource::State::scan_bucket(std::vector<std::byte> page) {
  if (page.empty()) scan_.rest = {};
  auto answer = later<StoreStatus, Page<SegmentEntry>>(
      [this](const StoreStatus& status, Page<SegmentEntry> found) { take_page(status, std::move(found)); });
  call([this, bucket = scan_.todo.back(), number = scan_.shard, page = std::move(page), answer = std::move(answer)] {
    store_.list_segments(bucket, number, page, answer);
  });
}

void ParkedSource::State::take_page(const StoreStatus& status, Page<SegmentEntry> page) {
  if (!status.ok()) {
    note_failure("list the segments of a bucket", status);
    return end_shard(false);
  }
  Shard& shard = shards_[static_cast<std::size_t>(scan_.shard)];
  for (SegmentEntry& entry : page.items) note_entry(shard, std::move(entry));
  if (!page.next.empty()) return scan_bucket(std::move(page.next));
  end_bucket(shard, scan_.todo.back());
  scan_.todo.pop_back();
  scan_.todo.empty() ? end_shard(true) : scan_bucket({});
}

void ParkedSource::State::note_entry(Shard& shard, SegmentEntry entry) {
  entry.summary.services.clear();
  if (rescues_.contains(entry.head.name.id)) return;
  const SegmentOrder order{entry.head.opened_at, entry.head.name.bucket, entry.head.name.id};
  const auto known = shard.segments.find(order);
  if (known == shard.segments.end()) {
    auto segment = std::make_unique<ParkedSegment>(std::move(entry));
    if (is_over(segment->entry) || segment->entry.head.purpose != Purpose::overflow) segment->phase = Phase::replayed;
    if (!segment->is_undone() && !rows_are_missing(*segment)) return;
    ParkedSegment& made = *shard.segments.emplace(order, std::move(segment)).first->second;
    if (made.is_undone()) shard.waiting.emplace(order, &made);
    watch(shard, made);
    trim(shard);
    return;
  }
  ParkedSegment& segment = *known->second;
  keep_head(segment, entry);
  const bool is_active = segment.phase == Phase::opening || segment.phase == Phase::replaying;
  if (is_active || (segment.phase == Phase::replayed && !entry.replayed_at)) {
    // How far it is, we know better than the directory.
    segment.entry.sealed_at = entry.sealed_at;
    segment.entry.summary = std::move(entry.summary);
    segment.entry.rows_position = entry.rows_position;
    segment.entry.ttl_left_s = entry.ttl_left_s;
  } else {
    segment.entry = std::move(entry);
  }
  const bool is_left = segment.entry.head.purpose == Purpose::overflow && !is_over(segment.entry);
  if (segment.phase == Phase::waiting && !is_left) {  // replayed by somebody else
    segment.phase = Phase::replayed;
    shard.waiting.erase(order);
  } else if (segment.phase == Phase::replayed && is_left) {  // its seal says that there is more in it
    segment.phase = Phase::waiting;
    shard.waiting.emplace(order, &segment);
  }
  watch(shard, segment);
}

// What only time tells: how long it has been unsealed, and whether its rows move on.
void ParkedSource::State::watch(Shard& shard, ParkedSegment& segment) {
  const base::SteadyTime now = clock_.steady_now();
  segment.seen_in_scan = scan_.number;
  if (!segment.entry.sealed_at && !segment.unsealed_since) segment.unsealed_since = now;
  if (std::exchange(segment.rows_seen, segment.entry.rows_position) != segment.entry.rows_position) {
    segment.rows_moved_at = now;
  }
  check_ttl(segment);
  if (!segment.is_undone() && !rows_are_missing(segment)) drop(shard, segment.order());
}

// A head is written once. What says otherwise later is damaged, or somebody's doing: what we know stays.
void ParkedSource::State::keep_head(const ParkedSegment& segment, SegmentEntry& entry) {
  if (entry.head == segment.entry.head) return;
  report_once(
      Error(ErrorCode::corrupt, "the head of segment " + to_string(segment.entry.head.name.id) +
                                    " in Cassandra's directory has changed: it is replayed as it was first read"));
  entry.head = segment.entry.head;
}

void ParkedSource::State::drop(Shard& shard, const SegmentOrder& order) {
  const auto found = shard.segments.find(order);
  if (found == shard.segments.end()) return;
  forget_slots(*found->second);
  active_.erase(order);
  shard.waiting.erase(order);
  shard.segments.erase(found);
}

// Keeps the oldest. The sum of the others is what their buckets say.
void ParkedSource::State::trim(Shard& shard) {
  if (shard.segments.size() <= kept_max) return;
  const auto last = std::prev(shard.segments.end());
  const ParkedSegment& segment = *last->second;
  if (segment.phase != Phase::waiting && segment.phase != Phase::replayed) return;
  if (!segment.is_undone()) return drop(shard, last->first);
  const model::Backlog left = segment.backlog();
  const base::WallTime bucket = last->first.bucket;
  model::Backlog& rest = bucket == scan_.todo.back() ? scan_.rest : shard.buckets[bucket].rest;
  rest.chunk_count += left.chunk_count;
  rest.bytes += left.bytes;
  for (std::size_t i = 0; i < model::signal_count; ++i) rest.item_count[i] += left.item_count[i];
  if (left.oldest) rest.oldest = std::min(rest.oldest.value_or(*left.oldest), *left.oldest);
  drop(shard, last->first);
}

void ParkedSource::State::end_bucket(Shard& shard, base::WallTime time) {
  Bucket& bucket = shard.buckets[time];
  bucket.rest = scan_.rest;
  bool has_work = bucket.rest.chunk_count > 0;
  std::vector<SegmentOrder> gone;
  for (const auto& [order, kept] : shard.segments) {
    if (order.bucket != time) continue;
    const ParkedSegment& segment = *kept;
    const bool is_idle = segment.phase == Phase::waiting || segment.phase == Phase::replayed;
    if (is_idle && segment.seen_in_scan != scan_.number) {
      gone.push_back(order);
    } else {
      has_work = true;
    }
  }
  for (const SegmentOrder& order : gone) drop(shard, order);
  bucket.again_at = clock_.steady_now() + stretched(has_work ? undone_pause : done_pause);
}

void ParkedSource::State::end_shard(bool is_whole) {
  Shard& shard = shards_[static_cast<std::size_t>(scan_.shard)];
  shard.is_scanned = shard.is_scanned || is_whole;
  scan_.has_failed = scan_.has_failed || !is_whole;
  if (++scan_.shard < shard_count) return scan_shard();
  scan_.is_running = false;
  status_.scanned = status_.scanned || !scan_.has_failed;
  if (!scan_.has_failed) last_whole_scan_ = scan_.number;
  wake();  // somebody may wait for this
  const base::SteadyTime now = clock_.steady_now();
  scan_at_ = scan_.number < scan_wanted_ ? now : now + stretched(options_.scan_interval);
}

// --- age -----------------------------------------------------------------------------------------

// How much of the life of its chunks is over: 1 when they end.
double ParkedSource::State::age_share(const SegmentEntry& entry) const {
  const auto all = static_cast<double>(options_.chunk_ttl.count());
  if (entry.ttl_left_s <= 0 || all <= 0) return 0;
  const double left = static_cast<double>(entry.ttl_left_s - directory_extra_s);
  return 1 - left / all;
}

void ParkedSource::State::check_ttl(const ParkedSegment& segment) {
  if (!segment.is_undone() || age_share(segment.entry) < options_.ttl_alarm) return;
  if (std::exchange(ttl_was_reported_, true)) return;
  report_once(Error(ErrorCode::timeout,
                    "chunks in Cassandra come near the end of their life and are not delivered, the oldest of writer " +
                        model::to_string(segment.entry.head.writer) +
                        ": they are written anew in time while recovery runs; see why the Collector takes nothing"));
}

}  // namespace arca::cassandra
