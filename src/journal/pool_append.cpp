// The hot path: a record into the calling thread's open chunk; and what happens when there is none.
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/crash_point.hpp"
#include "journal/pool_state.hpp"

namespace arca::journal {

namespace {

constexpr base::Duration grow_pause = std::chrono::milliseconds(100);
constexpr int room_turns_max = 100;  // others may take each chunk that becomes free before we do

// The last pool this thread appended to. Trivial, so that it can be read at any time of the thread's life.
struct LaneCache {
  std::uint64_t serial;
  Lane* lane;
};
[[gnu::tls_model("initial-exec")]] constinit thread_local LaneCache lane_cache{0, nullptr};
[[gnu::tls_model("initial-exec")]] constinit thread_local bool thread_is_ending = false;

}  // namespace

// Gives a thread's lanes back when it ends.
class LaneKeeper {
 public:
  ~LaneKeeper() {
    thread_is_ending = true;
    lane_cache = {0, nullptr};
    for (auto& [pool, lane] : lanes_) {
      if (const auto state = pool.lock()) state->retire_lane(lane);
    }
  }
  Lane* find(const Pool::State* wanted) noexcept {
    for (auto& [pool, lane] : lanes_) {
      if (const auto state = pool.lock(); state.get() == wanted) return lane;
    }
    return nullptr;
  }
  // Before a lane is taken, which add() must then not lose.
  void reserve_one() {
    std::erase_if(lanes_, [](const auto& entry) { return entry.first.expired(); });
    lanes_.reserve(lanes_.size() + 1);
  }
  // Once for each pool: a lane that is given back twice would serve two threads.
  void add(std::weak_ptr<Pool::State> pool, Lane* lane) noexcept { lanes_.emplace_back(std::move(pool), lane); }

 private:
  std::vector<std::pair<std::weak_ptr<Pool::State>, Lane*>> lanes_;
};

namespace {
LaneKeeper& lane_keeper() {
  thread_local LaneKeeper keeper;
  return keeper;
}
}  // namespace

Lane* Pool::State::lane_of_this_thread() noexcept {
  if (lane_cache.serial == serial_.load(std::memory_order_relaxed) && lane_cache.serial != 0) return lane_cache.lane;
  return attach_thread();
}

Lane* Pool::State::attach_thread() noexcept {
  const std::uint64_t serial = serial_.load(std::memory_order_relaxed);
  if (serial == 0) return nullptr;
  if (thread_is_ending) return common_lane_.get();
  try {
    LaneKeeper& keeper = lane_keeper();
    Lane* lane = keeper.find(this);
    if (lane == nullptr) {
      keeper.reserve_one();
      const std::lock_guard guard(free_mutex_);
      if (idle_lanes_.empty()) {
        lanes_.push_back(std::make_unique<Lane>());
        idle_lanes_.reserve(lanes_.size());  // so that retiring a lane never allocates
        lane = lanes_.back().get();
      } else {
        lane = idle_lanes_.back();
        idle_lanes_.pop_back();
        lane->lock.reset(base::this_thread_key());
      }
      keeper.add(weak_from_this(), lane);
    }
    lane_cache = {serial, lane};
    return lane;
  } catch (...) {  // out of memory: share the common lane rather than lose the record
    return common_lane_.get();
  }
}

namespace {

// The cache lines that the next record will be written to were last read by the thread that sent them, often on another
// core. Asked for now, they are here when that record comes; asked for by its stores, they hold up whatever waits for
// those. Behind the chunk's end it does no harm. (Processors that do not know the instruction pass over it.)
[[gnu::always_inline]] inline void fetch_to_write([[maybe_unused]] const std::byte* next) noexcept {
#if defined(__x86_64__)
  constexpr std::size_t line = 64, ahead = 512;  // of a typical span
#pragma GCC unroll 8
  for (std::size_t i = 0; i < ahead; i += line) asm volatile("prefetchw %0" : : "m"(next[i]));
#endif
}

// Requires the lane's lock. False when the record does not fit.
[[gnu::always_inline]] inline bool append_to(OpenChunk& open, model::ContextId context, base::Bytes record,
                                             std::uint32_t items) noexcept {
  const std::size_t mark = open.context == context ? 0 : model::context_mark_size;
  if (open.data == nullptr || open.used + mark + record.size() > open.capacity) return false;
  std::byte* at = open.data + open.used;
  if (mark != 0) {
    *at = model::context_mark;
    base::store(at + 1, context);
    at += mark;
    open.context = context;
  }
  std::memcpy(at, record.data(), record.size());
  open.used += static_cast<std::uint32_t>(mark + record.size());
  open.items += items;
  // Everything before is part of the chunk once this store is done, whatever happens to the process.
  open.committed->store(layout::Committed{open.used, open.items}.pack(), std::memory_order_release);
  fetch_to_write(open.data + open.used);
  return true;
}

}  // namespace

AppendStatus Pool::State::append(model::Signal signal, model::ContextId context, base::Bytes record,
                                 std::uint32_t items) noexcept {
  // Metrics must leave in order, so all threads share one open chunk for them.
  Lane* lane = signal == model::Signal::metrics && serial_.load(std::memory_order_relaxed) != 0 ? common_lane_.get()
                                                                                                : lane_of_this_thread();
  if (lane == nullptr) return AppendStatus::closed;
  {
    const base::BiasedGuard lock(lane->lock);
    if (append_to(lane->open[model::index_of(signal)], context, record, items)) [[likely]] {
      return AppendStatus::accepted;
    }
  }
  return append_slowly(*lane, signal, context, record, items);
}

AppendStatus Pool::State::append_slowly(Lane& lane, model::Signal signal, model::ContextId context, base::Bytes record,
                                        std::uint32_t items) noexcept {
  const std::size_t need = record.size() + model::context_mark_size;
  if (need > layout::large_chunk_size) return AppendStatus::too_large;
  for (int turn = 0; turn < room_turns_max; ++turn) {
    if (closed_.load(std::memory_order_acquire) || serial_.load(std::memory_order_relaxed) == 0) {
      return AppendStatus::closed;
    }
    const std::uint64_t freed = freed_count_.load(std::memory_order_acquire);
    if (open_chunk(lane, signal, need)) {
      lane.lock.lock();  // on the common lane another thread may have been faster: then once more
      const bool done = append_to(lane.open[model::index_of(signal)], context, record, items);
      lane.lock.unlock();
      if (done) return AppendStatus::accepted;
      continue;
    }
    room_is_wanted_.store(true, std::memory_order_seq_cst);  // before the count is read again: one of us sees the other
    if (freed_count_.load(std::memory_order_seq_cst) != freed) continue;
    try {
      std::function<bool()> make_room;
      {
        const std::lock_guard guard(hook_mutex_);
        make_room = room_maker_;
      }
      // A chunk that became free since we looked is room too, although the room maker did nothing.
      const bool made = make_room && make_room();
      if (!made && freed_count_.load(std::memory_order_acquire) == freed) return AppendStatus::no_room;
    } catch (...) {
      return AppendStatus::no_room;
    }
  }
  return AppendStatus::no_room;
}

bool Pool::State::open_chunk(Lane& lane, model::Signal signal, std::size_t need) noexcept {
  OpenChunk& open = lane.open[model::index_of(signal)];
  bool sealed_one = false;
  {
    const std::lock_guard guard(free_mutex_);
    if (closed_.load(std::memory_order_relaxed)) return false;
    lane.lock.lock();
    const bool fits = open.data != nullptr && open.used + need <= open.capacity;
    const bool had_one = open.data != nullptr;
    const bool wants_large = open.wants_large || had_one;
    lane.lock.unlock();
    if (fits) return true;
    // Take the next chunk before giving the old one up: if there is none, the old one still serves small records.
    const std::uint32_t chunk = take_free_chunk(wants_large, need);
    if (chunk == no_chunk) return false;
    if (had_one) {
      detach(lane, signal);
      sealed_one = true;
    }
    layout::ChunkEntry& entry = mapping_->entry(chunk);
    entry.signal = static_cast<std::uint32_t>(signal);
    entry.generation += 1;
    entry.sealed_bytes = entry.sealed_items = entry.sealed_context = 0;
    entry.owner_thread = syscall(SYS_gettid);
    entry.open_order = ++open_order_;
    entry.committed.store(0, std::memory_order_relaxed);
    base::crash_point("pool.chunk.before_open");
    entry.state.store(layout::ChunkState::open, std::memory_order_release);
    chunks_[chunk].pins.store(1, std::memory_order_relaxed);
    chunks_[chunk].lane = &lane;
    const std::uint32_t size = mapping_->geometry().chunk_size(chunk);
    bytes_in_use_.fetch_add(size, std::memory_order_relaxed);
    lane.lock.lock();
    open = {mapping_->chunk_data(chunk), &entry.committed, 0, size, 0, model::no_context, chunk, wants_large};
    lane.lock.unlock();
  }
  if (sealed_one) wake();
  return true;
}

// Ends a lane's open chunk: nobody appends to it any more. Requires free_mutex_.
void Pool::State::detach(Lane& lane, model::Signal signal) noexcept {
  OpenChunk& open = lane.open[model::index_of(signal)];
  lane.lock.lock();
  const std::uint32_t chunk = open.chunk;
  const bool any = open.data != nullptr;
  open = {};
  lane.lock.unlock();
  if (!any) return;
  base::crash_point("pool.chunk.detached");
  chunks_[chunk].lane = nullptr;
  chunks_[chunk].queued.store(true, std::memory_order_relaxed);
  mapping_->entry(chunk).state.store(layout::ChunkState::full, std::memory_order_release);
  full_chunks_.push_back(chunk);  // reserved for all chunks: never allocates
}

std::uint32_t Pool::State::take_free_chunk(bool large, std::size_t need) noexcept {
  const bool must_be_large = need > layout::small_chunk_size;
  for (const bool size : {large || must_be_large, !(large || must_be_large)}) {
    if (must_be_large && !size) continue;
    std::vector<std::uint32_t>& list = size ? free_large_ : free_small_;
    if (list.empty() && !grow(size)) continue;
    const std::uint32_t chunk = list.back();
    list.pop_back();
    return chunk;
  }
  return no_chunk;
}

// Allocates about a megabyte more of chunks of one size, up to the pool's size. Requires free_mutex_.
bool Pool::State::grow(bool large) noexcept {
  const layout::Geometry& geometry = mapping_->geometry();
  std::uint32_t& grown = large ? large_grown_ : small_grown_;
  const std::uint32_t total = large ? geometry.large_count : geometry.small_count;
  const std::uint32_t step = large ? 4 : 16;
  if (adopted_ || grown == total) return false;
  // A full file system is asked again now and then, not by every record.
  const base::SteadyTime now = clock_.steady_now();
  if (now < grow_again_at_) return false;
  const std::uint32_t count = std::min(step, total - grown);
  const std::uint32_t first = (large ? geometry.small_count : 0) + grown;
  if (!mapping_->allocate_chunks(first, count)) {
    // What we have must do.
    grow_again_at_ = now + grow_pause;
    capacity_.store(
        std::uint64_t{small_grown_} * layout::small_chunk_size + std::uint64_t{large_grown_} * layout::large_chunk_size,
        std::memory_order_relaxed);
    return false;
  }
  capacity_.store(geometry.file_size() - geometry.data_offset(), std::memory_order_relaxed);
  grown += count;
  std::vector<std::uint32_t>& list = large ? free_large_ : free_small_;
  for (std::uint32_t chunk = first + count; chunk > first; --chunk) list.push_back(chunk - 1);
  return true;
}

void Pool::State::retire_lane(Lane* lane) noexcept {
  if (born_in_fork_generation_ != os::fork_generation()) return;
  const std::lock_guard guard(free_mutex_);
  for (const model::Signal signal : model::all_signals) detach(*lane, signal);
  idle_lanes_.push_back(lane);
}

void Pool::State::close() noexcept {
  if (born_in_fork_generation_ != os::fork_generation()) return;
  {
    const std::lock_guard guard(free_mutex_);
    closed_.store(true, std::memory_order_release);
    for (const auto& lane : lanes_) {
      for (const model::Signal signal : model::all_signals) detach(*lane, signal);
    }
    for (const model::Signal signal : model::all_signals) detach(*common_lane_, signal);
  }
  wake();
}

void Pool::State::after_fork_in_child() noexcept {
  serial_.store(0, std::memory_order_relaxed);
  closed_.store(true, std::memory_order_relaxed);
}

void Pool::State::unpin(std::uint32_t chunk) noexcept {
  if (chunks_[chunk].pins.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (born_in_fork_generation_ != os::fork_generation()) return;
  const std::uint32_t size = mapping_->geometry().chunk_size(chunk);
  {
    const std::lock_guard guard(free_mutex_);
    bytes_in_use_.fetch_sub(size, std::memory_order_relaxed);
    (chunk < mapping_->geometry().small_count ? free_small_ : free_large_).push_back(chunk);
    freed_count_.fetch_add(1, std::memory_order_release);
  }
  // Often only the last reader of a payload frees the chunk, long after its verdict was announced.
  if (!room_is_wanted_.exchange(false, std::memory_order_acq_rel)) return;
  const std::lock_guard guard(hook_mutex_);
  if (freed_hook_) freed_hook_();
}

void Pool::State::wake() noexcept {
  const std::lock_guard guard(hook_mutex_);
  if (waker_) waker_();
}

}  // namespace arca::journal
