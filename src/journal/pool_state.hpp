// What a Pool is made of: lanes (where threads append), chunks (free, open, full), groups (sealed ranges that are one
// Chunk until settled). Private to pool*.cpp.
//
// Locks, in the order in which they may nest:
//   drain_mutex_  sealing, claims, verdicts, totals: the dispatcher, recovery, the spiller
//   free_mutex_   free lists and lanes: also appending threads, when they need another chunk
//   Lane::lock    one thread's open chunks: its owner with every record, others to take a chunk away
#pragma once

#include <array>
#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/biased_lock.hpp"
#include "journal/pool.hpp"
#include "journal/pool_mapping.hpp"
#include "journal/pool_totals.hpp"
#include "os/fork.hpp"

namespace arca::journal {

inline constexpr std::uint32_t no_chunk = 0xFFFFFFFFU;

// A thread's open chunk of one signal. Guarded by the lane's lock.
struct OpenChunk {
  std::byte* data = nullptr;  // nullptr: none is open
  std::atomic<std::uint64_t>* committed = nullptr;
  std::uint32_t used = 0, capacity = 0;
  std::uint32_t items = 0;
  model::ContextId context = model::no_context;
  std::uint32_t chunk = no_chunk;
  bool wants_large = false;  // filled a chunk before: this thread is warm
};

struct alignas(64) Lane {
  base::BiasedLock lock;
  std::array<OpenChunk, model::signal_count> open;
};

// What Pool knows of a chunk beside the mapping.
struct ChunkMemory {
  std::atomic<std::uint32_t> pins{0};  // one for being in use, one for each payload that points into it
  Lane* lane = nullptr;                // guarded by free_mutex_: who has it open
  std::atomic<bool> queued{false};     // in full_chunks_: must not be used again before it was looked at
  std::uint32_t last_seen_bytes = 0;   // guarded by drain_mutex_: to notice idle threads
  std::uint32_t idle_turns = 0;
};

// Sealed ranges that share one sequence.
struct Group {
  std::uint64_t sequence = 0;
  struct Part {
    std::uint32_t chunk, slot;
  };
  model::Signal signal = model::Signal::traces;
  std::vector<Part> parts;
  std::vector<model::Run> runs;
  std::uint32_t item_count = 0;
  std::uint64_t bytes = 0;
  std::int64_t sealed_at_ns = 0;
  bool claimed = false;
  std::uint32_t attempts = 0;
  base::SteadyTime not_before{};
};

// A group that is being sealed, in the node of the map that will hold it: what is sealed must never be without a place,
// so all memory is there before the first range is.
class BuildingGroup {
 public:
  using Map = std::map<std::uint64_t, Group>;
  // The group; may throw if there is none yet.
  Group& get() {
    if (node_.empty()) {
      Map made;
      made.try_emplace(0);
      node_ = made.extract(made.begin());
    }
    return node_.mapped();
  }
  [[nodiscard]] bool empty() const noexcept { return node_.empty() || node_.mapped().parts.empty(); }
  Map::node_type take() noexcept { return std::move(node_); }

 private:
  Map::node_type node_;
};

class Pool::State final : public std::enable_shared_from_this<Pool::State>, public os::ForkSubscriber {
 public:
  State(PoolOptions options, os::Clock& clock, std::unique_ptr<PoolMapping> mapping, bool adopted);
  ~State() override;

  // pool_append.cpp
  AppendStatus append(model::Signal signal, model::ContextId context, base::Bytes record, std::uint32_t items) noexcept;
  void retire_lane(Lane* lane) noexcept;
  void close() noexcept;
  void after_fork_in_child() noexcept override;

  // pool_context.cpp
  Result<model::ContextId> intern(const model::ContextView& context);
  std::optional<model::ContextView> context(model::ContextId id) const;
  Result<void> load_contexts();

  // pool_drain.cpp
  Result<std::optional<model::Claim>> claim(model::SignalSet signals, base::SteadyTime now);
  Result<void> settle(const model::Ack& ack);
  void release(const model::ChunkId& id, base::SteadyTime not_before);
  void forget_release_times();
  base::SteadyTime next_claim_at(model::SignalSet signals, base::SteadyTime now);
  std::uint64_t seal_all();
  model::Backlog backlog() const;
  std::uint64_t lowest_unsettled() const;
  bool empty() const;
  model::Totals totals() const;
  std::array<std::uint64_t, model::signal_count> in_memory() const;
  model::Account account() const;

  // pool_adopt.cpp
  Result<void> take_over();

  void unpin(std::uint32_t chunk) noexcept;
  std::uint64_t take_sequence() noexcept {
    return mapping_->header().next_sequence.fetch_add(1, std::memory_order_relaxed);
  }
  bool publish_status(std::string_view json) noexcept;

 private:
  struct Lease;
  friend class LaneKeeper;
  friend class Pool;

  // --- appending (pool_append.cpp) ---
  Lane* lane_of_this_thread() noexcept;
  [[gnu::cold]] Lane* attach_thread() noexcept;
  [[gnu::cold]] AppendStatus append_slowly(Lane& lane, model::Signal signal, model::ContextId context,
                                           base::Bytes record, std::uint32_t items) noexcept;
  bool open_chunk(Lane& lane, model::Signal signal, std::size_t need) noexcept;
  std::uint32_t take_free_chunk(bool large, std::size_t need) noexcept;  // requires free_mutex_
  bool grow(bool large) noexcept;                                        // requires free_mutex_
  void detach(Lane& lane, model::Signal signal) noexcept;                // requires free_mutex_
  void wake() noexcept;

  // --- draining (pool_drain.cpp), all require drain_mutex_ ---
  void seal_what_is_due(base::SteadyTime now);
  void seal_full_chunks(bool everything);
  void scrape(bool everything);
  bool seal_chunk(std::uint32_t chunk, Group& group);
  void keep_live_damage(std::uint32_t chunk, std::uint32_t begin, base::Bytes bytes) const;
  using Building = std::array<BuildingGroup, model::signal_count>;
  void add_to_group(std::uint32_t chunk, Building& building);
  void commit_group(BuildingGroup& building) noexcept;
  void queue_again(const std::vector<std::uint32_t>& full, std::size_t first) noexcept;
  void reclaim_idle(std::uint32_t chunk);
  void take_away(std::uint32_t chunk);
  Result<std::optional<model::Claim>> make_claim(Group& group);
  Result<void> settle_locked(const model::Ack& ack);
  void mark_and_fold(const std::vector<Group::Part>& parts, const model::Ack& ack);
  void recycle_if_done(std::uint32_t chunk);
  // Walks a range and leaves out what cannot be sent; returns how many of its items that is.
  std::uint32_t walk_range(base::Bytes bytes, model::ContextId context, model::Signal signal, std::uint32_t items,
                           model::Walk& walk) const;
  void forget_folded(std::uint32_t chunk);
  Result<void> adopt_chunk(std::uint32_t chunk);
  Result<void> keep_damage(std::uint32_t chunk, layout::Committed committed) const;
  Result<void> keep_aside(const std::string& name, base::Bytes bytes) const;
  bool adopt_ranges(std::uint32_t chunk, layout::Committed committed);
  [[nodiscard]] std::uint32_t chunk_count() const noexcept { return mapping_->geometry().chunk_count(); }
  static std::uint64_t unsettled_items(const layout::ChunkEntry& entry, layout::Committed committed) noexcept;

  const PoolOptions options_;
  os::Clock& clock_;
  std::unique_ptr<PoolMapping> mapping_;
  const bool adopted_;
  const std::uint64_t born_in_fork_generation_;

  std::atomic<std::uint64_t> serial_;  // names this pool in thread-local caches; 0 once it must not be used
  std::atomic<bool> closed_{false};

  mutable std::mutex free_mutex_;
  std::vector<std::uint32_t> free_small_, free_large_;
  std::uint32_t small_grown_ = 0, large_grown_ = 0;  // chunks allocated so far
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<Lane*> idle_lanes_;
  std::unique_ptr<Lane> common_lane_;  // metrics, and threads whose thread-locals are gone
  std::vector<std::uint32_t> full_chunks_;
  std::uint64_t open_order_ = 0;
  std::atomic<std::uint64_t> bytes_in_use_{0};
  // Bytes of all chunks, or of those that exist while the file system has no room for more.
  std::atomic<std::uint64_t> capacity_;
  std::atomic<std::uint64_t> freed_count_{0};  // how often a chunk became free
  std::atomic<bool> room_is_wanted_{false};    // somebody found no free chunk
  base::SteadyTime grow_again_at_{};           // guarded by free_mutex_
  std::vector<ChunkMemory> chunks_;

  mutable std::mutex drain_mutex_;
  PoolTotals totals_;
  int epoch_depth_ = 0;
  std::array<std::map<std::uint64_t, Group>, model::signal_count> groups_;
  base::SteadyTime next_scrape_{};

  mutable std::mutex context_mutex_;
  std::vector<model::ContextView> contexts_;  // id - 1
  std::unordered_map<std::string, model::ContextId> context_ids_;

  std::mutex hook_mutex_;
  std::function<bool()> room_maker_;
  std::function<void()> waker_;
  std::function<void()> freed_hook_;
};

// Marks a change of ranges and totals, so that readers in other processes wait for its end. Nests.
// Requires the draining lock.
class EpochGuard {
 public:
  EpochGuard(layout::Header& header, int& depth) noexcept : epoch_(header.epoch), depth_(depth) {
    if (depth_++ != 0) return;
    epoch_.fetch_add(1, std::memory_order_acq_rel);  // nothing behind it may move before it
  }
  ~EpochGuard() {
    if (--depth_ == 0) epoch_.store(epoch_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  EpochGuard(const EpochGuard&) = delete;
  EpochGuard& operator=(const EpochGuard&) = delete;

 private:
  std::atomic<std::uint64_t>& epoch_;
  int& depth_;
};

}  // namespace arca::journal
