#include "journal/pool.hpp"

#include <unistd.h>

#include <algorithm>

#include "journal/pool_state.hpp"

namespace arca::journal {

namespace {

std::uint64_t next_serial() noexcept {
  static std::atomic<std::uint64_t> serial{1};
  return serial.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

Pool::State::State(PoolOptions options, os::Clock& clock, std::unique_ptr<PoolMapping> mapping, bool adopted)
    : options_(std::move(options)),
      clock_(clock),
      mapping_(std::move(mapping)),
      adopted_(adopted),
      born_in_fork_generation_(os::fork_generation()),
      serial_(adopted ? 0 : next_serial()),
      closed_(adopted),
      common_lane_(std::make_unique<Lane>()),
      capacity_(mapping_->geometry().file_size() - mapping_->geometry().data_offset()),
      chunks_(mapping_->geometry().chunk_count()),
      totals_(mapping_->header()) {
  common_lane_->lock.reset(0);  // nobody's: every thread takes the shared way
  // Reserved once, so that detaching and recycling never allocate.
  full_chunks_.reserve(chunks_.size());
  free_small_.reserve(chunks_.size());
  free_large_.reserve(chunks_.size());
  os::subscribe_to_fork(*this);
}

Pool::State::~State() { os::unsubscribe_from_fork(*this); }

Result<std::unique_ptr<Pool>> Pool::create(const PoolOptions& options, os::Clock& clock) {
  base::enable_biased_locks();
  const auto geometry = layout::Geometry::for_size(options.size_max);
  if (geometry.small_count == 0 || geometry.large_count == 0) {
    return failure(ErrorCode::invalid_config, "the pool size must be at least 1 MiB");
  }
  auto mapping =
      PoolMapping::create(options.path, options.writer, geometry, clock.wall_now().time_since_epoch().count());
  if (!mapping) return failure(mapping.error());
  auto state = std::make_shared<State>(options, clock, std::move(*mapping), false);
  const std::lock_guard guard(state->free_mutex_);
  const auto small_wanted = layout::Geometry::for_size(std::max<std::uint64_t>(options.size_initial, 1U << 20U));
  while (state->small_grown_ < small_wanted.small_count && state->grow(false)) {
  }
  while (state->large_grown_ < small_wanted.large_count && state->grow(true)) {
  }
  if (state->small_grown_ == 0) {
    ::unlink(options.path.c_str());
    return failure(ErrorCode::full, "no room for a pool at " + options.path +
                                        ": free some space there or choose another pool directory");
  }
  return std::unique_ptr<Pool>(new Pool(std::move(state)));
}

Result<std::unique_ptr<Pool>> Pool::adopt(const std::string& path, os::Clock& clock,
                                          const std::string& damaged_directory) {
  auto mapping = PoolMapping::map_existing(path);
  if (!mapping) return failure(mapping.error());
  PoolOptions options;
  options.path = path;
  options.damaged_directory = damaged_directory;
  options.writer = {(*mapping)->header().writer};
  auto state = std::make_shared<State>(options, clock, std::move(*mapping), true);
  if (const auto taken = state->take_over(); !taken) return failure(taken.error());
  return std::unique_ptr<Pool>(new Pool(std::move(state)));
}

Pool::Pool(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
Pool::~Pool() {
  state_->close();
  set_room_maker({});
  set_freed_hook({});
  set_waker({});
  state_->mapping_->unlock();
}

AppendStatus Pool::append(model::Signal signal, model::ContextId context, base::Bytes record,
                          std::uint32_t item_count) noexcept {
  return state_->append(signal, context, record, item_count);
}
Result<model::ContextId> Pool::intern(const model::ContextView& context) { return state_->intern(context); }
std::optional<model::ContextView> Pool::context(model::ContextId id) const { return state_->context(id); }

void Pool::set_room_maker(std::function<bool()> room_maker) {
  const std::lock_guard guard(state_->hook_mutex_);
  state_->room_maker_ = std::move(room_maker);
}
void Pool::set_freed_hook(std::function<void()> freed_hook) {
  const std::lock_guard guard(state_->hook_mutex_);
  state_->freed_hook_ = std::move(freed_hook);
}
void Pool::set_waker(std::function<void()> waker) {
  const std::lock_guard guard(state_->hook_mutex_);
  state_->waker_ = std::move(waker);
}

Result<std::optional<model::Claim>> Pool::claim(model::SignalSet signals, base::SteadyTime now) {
  return state_->claim(signals, now);
}
Result<void> Pool::settle(const model::Ack& ack) { return state_->settle(ack); }
void Pool::release(const model::ChunkId& id, base::SteadyTime not_before) { state_->release(id, not_before); }
void Pool::forget_release_times() { state_->forget_release_times(); }
base::SteadyTime Pool::next_claim_at(model::SignalSet signals, base::SteadyTime now) {
  return state_->next_claim_at(signals, now);
}
model::Backlog Pool::backlog() const { return state_->backlog(); }
std::uint64_t Pool::seal_all() { return state_->seal_all(); }
std::uint64_t Pool::lowest_unsettled() const { return state_->lowest_unsettled(); }
bool Pool::empty() const { return state_->empty(); }
model::Totals Pool::totals() const { return state_->totals(); }
std::array<std::uint64_t, model::signal_count> Pool::in_memory() const { return state_->in_memory(); }
model::Account Pool::account() const { return state_->account(); }
std::uint64_t Pool::take_sequence() noexcept { return state_->take_sequence(); }
model::WriterId Pool::writer() const noexcept { return state_->options_.writer; }
const std::string& Pool::path() const noexcept { return state_->options_.path; }
void Pool::close() noexcept { state_->close(); }
bool Pool::publish_status(std::string_view json) noexcept { return state_->publish_status(json); }

double Pool::fill() const noexcept {
  const double used = static_cast<double>(state_->bytes_in_use_.load(std::memory_order_relaxed));
  return used / static_cast<double>(state_->capacity_.load(std::memory_order_relaxed));
}

std::uint64_t Pool::resident_bytes() const noexcept {
  const std::lock_guard guard(state_->free_mutex_);
  return state_->mapping_->geometry().data_offset() + std::uint64_t{state_->small_grown_} * layout::small_chunk_size +
         std::uint64_t{state_->large_grown_} * layout::large_chunk_size;
}

void Pool::count_refused(model::Signal signal, std::uint64_t item_count) noexcept {
  if (state_->serial_.load(std::memory_order_relaxed) == 0) return;
  state_->mapping_->header().refused[model::index_of(signal)].fetch_add(item_count, std::memory_order_relaxed);
}
void Pool::count_direct(model::Signal signal, std::uint64_t item_count) noexcept {
  if (state_->serial_.load(std::memory_order_relaxed) == 0) return;
  state_->mapping_->header().direct[model::index_of(signal)].fetch_add(item_count, std::memory_order_relaxed);
}

}  // namespace arca::journal
