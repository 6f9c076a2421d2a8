// What tests tell FakeParkingStore, and what they read from it.
#include <algorithm>
#include <utility>

#include "fakes/fake_parking_store.hpp"

namespace arca::fakes {

using namespace cassandra;

void FakeParkingStore::fail_next(StoreCall call, int count, StoreFailure failure) {
  const std::lock_guard lock(mutex_);
  orders_.at(static_cast<std::size_t>(call)) = {count, std::move(failure)};
}

void FakeParkingStore::fail_always(StoreCall call, StoreFailure failure) { fail_next(call, -1, std::move(failure)); }

void FakeParkingStore::fail_always(StoreFailure failure) {
  const std::lock_guard lock(mutex_);
  orders_.fill({-1, failure});
}

void FakeParkingStore::heal() {
  const std::lock_guard lock(mutex_);
  orders_.fill({});
  rule_ = {};
}

void FakeParkingStore::fail_by(std::function<std::optional<StoreFailure>(const StoreCallRecord&)> rule) {
  const std::lock_guard lock(mutex_);
  rule_ = std::move(rule);
}

void FakeParkingStore::set_window(bool open) {
  const std::lock_guard lock(mutex_);
  window_ = open;
}

void FakeParkingStore::hold(Hold hold) {
  const std::lock_guard lock(mutex_);
  holds_.fill(hold);
}

void FakeParkingStore::hold(StoreCall call, Hold hold) {
  const std::lock_guard lock(mutex_);
  holds_.at(static_cast<std::size_t>(call)) = hold;
}

std::size_t FakeParkingStore::held_count() const {
  const std::lock_guard lock(mutex_);
  return held_.size();
}

std::size_t FakeParkingStore::held_count(StoreCall call) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(held_.begin(), held_.end(), [call](const Held& each) { return each.record.call == call; }));
}

bool FakeParkingStore::deliver(std::size_t index, const std::optional<StoreFailure>& failure) {
  Held held;
  {
    const std::lock_guard lock(mutex_);
    if (index >= held_.size()) return false;
    held = std::move(held_[index]);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(index));
  }
  held.deliver(failure);
  return true;
}

bool FakeParkingStore::arrive(std::size_t index) {
  std::function<void()> arrive;
  {
    const std::lock_guard lock(mutex_);
    if (index >= held_.size()) return false;
    arrive = held_[index].arrive;
  }
  arrive();
  return true;
}

bool FakeParkingStore::lose_answer(std::size_t index) {
  std::function<void(const std::optional<StoreFailure>&)> deliver;
  {
    const std::lock_guard lock(mutex_);
    if (index >= held_.size()) return false;
    Held& held = held_[index];
    deliver = std::exchange(held.deliver, [arrive = held.arrive](const std::optional<StoreFailure>&) { arrive(); });
  }
  deliver(StoreFailure{});
  return true;
}

void FakeParkingStore::deliver_all() {
  while (deliver()) {
  }
}

void FakeParkingStore::lose_chunk(const Uuid& segment, std::int32_t position) {
  const std::lock_guard lock(mutex_);
  if (const auto found = chunks_.find(segment); found != chunks_.end()) found->second.erase(position);
}

void FakeParkingStore::lose_all_chunks() {
  const std::lock_guard lock(mutex_);
  chunks_.clear();
}

void FakeParkingStore::lose_directory() {
  const std::lock_guard lock(mutex_);
  segments_.clear();
  buckets_.clear();
}

std::size_t FakeParkingStore::count(StoreCall call) const { return calls(call).size(); }

std::vector<StoreCallRecord> FakeParkingStore::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::vector<StoreCallRecord> FakeParkingStore::calls(StoreCall call) const {
  std::vector<StoreCallRecord> all = calls();
  std::erase_if(all, [call](const StoreCallRecord& each) { return each.call != call; });
  return all;
}

std::vector<SegmentEntry> FakeParkingStore::segments() const {
  const std::lock_guard lock(mutex_);
  std::vector<SegmentEntry> all;
  for (const auto& [name, kept] : segments_)
    if (const auto entry = visible(kept)) all.push_back(*entry);
  return all;
}

std::vector<StoredChunk> FakeParkingStore::chunks(const Uuid& segment) const {
  const std::lock_guard lock(mutex_);
  std::vector<StoredChunk> all;
  const auto found = chunks_.find(segment);
  if (found == chunks_.end()) return all;
  for (const auto& [position, kept] : found->second)
    if (kept.ends_at > clock_.steady_now()) all.push_back(kept.chunk);
  return all;
}

std::vector<KeptRow> FakeParkingStore::rows() const {
  const std::lock_guard lock(mutex_);
  std::vector<KeptRow> all;
  for (const auto& [key, row] : rows_)
    if (row.ends_at > clock_.steady_now()) all.push_back(row);
  return all;
}

std::vector<TraceEntries> FakeParkingStore::entries() const {
  const std::lock_guard lock(mutex_);
  std::vector<TraceEntries> all;
  for (const auto& [key, partition] : entries_) {
    TraceEntries& entries = all.emplace_back();
    entries.service = key.first;
    entries.bucket = key.second;
    for (const auto& [place, entry] : partition) entries.entries.push_back(entry);
  }
  return all;
}

std::map<std::string, std::set<std::string>> FakeParkingStore::names() const {
  const std::lock_guard lock(mutex_);
  return names_;
}

std::vector<QuarantinedChunk> FakeParkingStore::quarantined() const {
  const std::lock_guard lock(mutex_);
  std::vector<QuarantinedChunk> all;
  for (const auto& [id, chunk] : quarantined_) all.push_back(chunk);
  return all;
}

std::optional<Lease> FakeParkingStore::lease(std::int16_t shard) const {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(shard);
  if (found == leases_.end() || found->second.ends_at <= clock_.steady_now()) return std::nullopt;
  return Lease{true, found->second.owner, found->second.epoch};
}

int FakeParkingStore::violation_count() const {
  const std::lock_guard lock(mutex_);
  return violation_count_;
}

// --- helpers of both files -----------------------------------------------------------------------

std::optional<SegmentEntry> FakeParkingStore::visible(const KeptSegment& kept) const {
  const auto left = kept.ends_at - clock_.steady_now();
  if (!kept.has_head || left <= base::Duration(0)) return std::nullopt;
  SegmentEntry entry = kept.entry;
  entry.ttl_left_s = static_cast<std::int32_t>(std::chrono::duration_cast<std::chrono::seconds>(left).count());
  return entry;
}

FakeParkingStore::KeptSegment& FakeParkingStore::row_of(const SegmentName& segment) {
  const auto [place, is_new] = segments_.try_emplace(segment);
  KeptSegment& kept = place->second;
  if (!is_new && kept.ends_at <= clock_.steady_now()) kept = {};
  // As in Cassandra, only the columns that are written live longer; the head decides whether there is a segment.
  if (!kept.has_head) kept.ends_at = clock_.steady_now() + options_.directory_ttl;
  kept.entry.head.name = segment;
  return kept;
}

Lease FakeParkingStore::lease_of(std::int16_t shard, const Uuid& asking) const {
  const auto found = leases_.find(shard);
  if (found == leases_.end() || found->second.ends_at <= clock_.steady_now()) return {};
  return {found->second.owner == asking, found->second.owner, found->second.epoch};
}

}  // namespace arca::fakes
