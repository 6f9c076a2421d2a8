// A ChunkSource in memory that keeps the rules of the interface, remembers every settlement and fails on command. It
// outlives "processes": forget_claims() is what a crash does to it.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "model/chunk_source.hpp"

namespace arca::fakes {

inline model::Chunk make_chunk(std::uint64_t sequence, model::Signal signal = model::Signal::traces,
                               std::uint32_t item_count = 10, std::size_t size = 100, std::uint64_t writer = 1) {
  return {.id = {model::WriterId{writer}, sequence},
          .signal = signal,
          .item_count = item_count,
          .sealed_at = base::WallTime(std::chrono::seconds(sequence)),
          .payload = model::Payload::own(std::vector<std::byte>(size))};
}

// Thread-safe.
class FakeSource final : public model::ChunkSource {
 public:
  void put(model::Chunk chunk) {
    std::function<void()> waker;
    {
      const std::lock_guard lock(mutex_);
      const model::ChunkId id = chunk.id;
      entries_[id].chunk = std::move(chunk);
      waker = waker_;
    }
    if (waker) waker();
  }

  Result<std::optional<model::Claim>> claim(model::SignalSet signals, base::SteadyTime now) override {
    const std::lock_guard lock(mutex_);
    if (claim_failures_ > 0 && claim_failures_-- > 0) return failure(ErrorCode::io, "claim fails on command");
    bool metrics_blocked = false;
    for (auto& [id, entry] : entries_) {
      if (entry.settlement) continue;
      const bool is_metric = entry.chunk.signal == model::Signal::metrics;
      if (is_metric && std::exchange(metrics_blocked, true)) continue;
      if (entry.claimed || entry.not_before > now || !signals.contains(entry.chunk.signal)) continue;
      entry.claimed = true;
      return model::Claim{entry.chunk, ++entry.attempt_count};
    }
    return std::nullopt;
  }

  Result<void> settle(const model::Ack& ack) override {
    const std::lock_guard lock(mutex_);
    if (settle_failures_ > 0 && settle_failures_-- > 0) return failure(ErrorCode::io, "settle fails on command");
    const auto found = entries_.find(ack.chunk_id);
    if (found == entries_.end() || found->second.settlement || !model::is_settled(ack.verdict)) {
      ++violation_count_;
      return {};
    }
    found->second.settlement = ack;
    found->second.claimed = false;
    return {};
  }

  void release(const model::ChunkId& id, base::SteadyTime not_before) override {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end() || !found->second.claimed) {
      ++violation_count_;
      return;
    }
    found->second.claimed = false;
    found->second.not_before = not_before;
  }

  void forget_release_times() override {
    const std::lock_guard lock(mutex_);
    for (auto& [id, entry] : entries_) entry.not_before = base::SteadyTime::min();
  }

  base::SteadyTime next_claim_at(model::SignalSet signals, base::SteadyTime now) override {
    const std::lock_guard lock(mutex_);
    ++next_claim_at_count_;
    base::SteadyTime next = base::never;
    bool metrics_blocked = false;
    for (const auto& [id, entry] : entries_) {
      if (entry.settlement || !signals.contains(entry.chunk.signal)) continue;
      if (entry.chunk.signal == model::Signal::metrics && std::exchange(metrics_blocked, true)) continue;
      if (!entry.claimed) next = std::min(next, std::max(now, entry.not_before));
    }
    return next;
  }

  void set_waker(std::function<void()> waker) override {
    const std::lock_guard lock(mutex_);
    waker_ = std::move(waker);
  }

  model::Backlog backlog() const override {
    const std::lock_guard lock(mutex_);
    model::Backlog backlog;
    for (const auto& [id, entry] : entries_) {
      if (entry.settlement) continue;
      ++backlog.chunk_count;
      backlog.bytes += entry.chunk.payload.size();
      backlog.item_count[model::index_of(entry.chunk.signal)] += entry.chunk.item_count;
      backlog.oldest = std::min(backlog.oldest.value_or(entry.chunk.sealed_at), entry.chunk.sealed_at);
    }
    return backlog;
  }

  // --- for tests --------------------------------------------------------------------------
  void fail_claims(int count) { set(claim_failures_, count); }
  void fail_settles(int count) { set(settle_failures_, count); }
  void forget_claims() {
    const std::lock_guard lock(mutex_);
    for (auto& [id, entry] : entries_) {
      entry.claimed = false;
      entry.not_before = base::SteadyTime::min();
    }
  }
  [[nodiscard]] bool contains(const model::ChunkId& id) const {
    const std::lock_guard lock(mutex_);
    return entries_.contains(id);
  }
  [[nodiscard]] bool contains_unsettled(const model::ChunkId& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    return found != entries_.end() && !found->second.settlement;
  }
  [[nodiscard]] bool holds(model::Signal signal) const {
    const std::lock_guard lock(mutex_);
    return std::any_of(entries_.begin(), entries_.end(), [signal](const auto& each) {
      return each.second.chunk.signal == signal && !each.second.settlement;
    });
  }
  [[nodiscard]] std::optional<model::Ack> settlement(std::uint64_t sequence, std::uint64_t writer = 1) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find({model::WriterId{writer}, sequence});
    return found == entries_.end() ? std::nullopt : found->second.settlement;
  }
  [[nodiscard]] std::size_t settled_count(model::Verdict verdict) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(entries_.begin(), entries_.end(), [verdict](const auto& each) {
      return each.second.settlement && each.second.settlement->verdict == verdict;
    }));
  }
  [[nodiscard]] std::uint64_t settled_items(model::Verdict verdict, model::Signal signal) const {
    const std::lock_guard lock(mutex_);
    std::uint64_t items = 0;
    for (const auto& [id, entry] : entries_) {
      const bool counts = entry.settlement && entry.settlement->verdict == verdict && entry.chunk.signal == signal;
      items += counts ? entry.chunk.item_count : 0;
    }
    return items;
  }
  [[nodiscard]] std::uint64_t item_count(model::Signal signal) const {
    const std::lock_guard lock(mutex_);
    std::uint64_t items = 0;
    for (const auto& [id, entry] : entries_) items += entry.chunk.signal == signal ? entry.chunk.item_count : 0;
    return items;
  }
  [[nodiscard]] std::size_t claimed_count() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(), [](const auto& each) { return each.second.claimed; }));
  }
  // Settled twice, settled without a settling verdict, released without a claim: always a bug of the caller.
  [[nodiscard]] int violation_count() const {
    const std::lock_guard lock(mutex_);
    return violation_count_;
  }
  [[nodiscard]] int next_claim_at_count() const {
    const std::lock_guard lock(mutex_);
    return next_claim_at_count_;
  }

 private:
  struct Entry {
    model::Chunk chunk;
    bool claimed = false;
    base::SteadyTime not_before = base::SteadyTime::min();
    std::uint32_t attempt_count = 0;
    std::optional<model::Ack> settlement;
  };
  void set(int& field, int value) {
    const std::lock_guard lock(mutex_);
    field = value;
  }

  mutable std::mutex mutex_;
  std::map<model::ChunkId, Entry> entries_;  // oldest first
  std::function<void()> waker_;
  int claim_failures_ = 0;
  int settle_failures_ = 0;
  int violation_count_ = 0;
  int next_claim_at_count_ = 0;
};

}  // namespace arca::fakes
