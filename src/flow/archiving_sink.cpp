#include "flow/archiving_sink.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <new>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "os/log.hpp"

namespace arca::flow {

struct DeliveredChunks::State {
  mutable std::mutex mutex;
  std::size_t count_max = 0;
  std::unordered_map<model::ChunkId, model::Ack> chunks;  // with what the Collector answered; protected by mutex
  std::atomic<std::uint64_t> missed_item_count{0};

  // False: there are too many.
  bool keep(const model::Ack& ack) {
    const std::lock_guard lock(mutex);
    if (chunks.size() >= count_max && !chunks.contains(ack.chunk_id)) return false;
    chunks.insert_or_assign(ack.chunk_id, ack);
    return true;
  }
  [[nodiscard]] std::optional<model::Ack> find(const model::ChunkId& id) const {
    const std::lock_guard lock(mutex);
    const auto found = chunks.find(id);
    return found == chunks.end() ? std::nullopt : std::optional(found->second);
  }
  void forget(const model::ChunkId& id) noexcept {
    const std::lock_guard lock(mutex);
    chunks.erase(id);
  }
};

DeliveredChunks::DeliveredChunks(std::size_t count_max) : state_(std::make_unique<State>()) {
  state_->count_max = count_max;
}
DeliveredChunks::~DeliveredChunks() = default;

std::size_t DeliveredChunks::count() const {
  const std::lock_guard lock(state_->mutex);
  return state_->chunks.size();
}

std::uint64_t DeliveredChunks::missed_item_count() const noexcept {
  return state_->missed_item_count.load(std::memory_order_relaxed);
}

namespace {

// One chunk on its way to both.
struct Delivery {
  model::Chunk chunk;
  model::AckCallback done;
  model::Ack answer;  // the Collector's, once it has the chunk
};

}  // namespace

struct ArchivingSink::State : std::enable_shared_from_this<ArchivingSink::State> {
  State(model::Sink& inner_in, model::Sink& archive_in, std::shared_ptr<DeliveredChunks> shared, os::Clock& clock_in,
        ArchivingOptions options_in)
      : inner(inner_in),
        archive(archive_in),
        owner(std::move(shared)),
        clock(clock_in),
        options(std::move(options_in)) {}

  [[nodiscard]] DeliveredChunks::State& delivered() const noexcept { return *owner->state_; }

  // To the inner sink first, and then on.
  void deliver(const std::shared_ptr<Delivery>& delivery) {
    model::AckCallback on_ack = [self = shared_from_this(), delivery](model::Ack ack) {
      if (ack.verdict != model::Verdict::delivered) {
        delivery->done(std::move(ack));
        return;
      }
      delivery->answer = std::move(ack);
      self->store(delivery);
    };
    inner.submit(delivery->chunk, std::move(on_ack));
  }

  // The archive's turn: the Collector has the chunk.
  void store(const std::shared_ptr<Delivery>& delivery) noexcept {
    if (!archive.readiness(delivery->chunk.signal, clock.steady_now()).ready) {
      put_aside(*delivery, "takes nothing now", {});
      return;
    }
    try {
      model::AckCallback on_ack = [self = shared_from_this(), delivery](const model::Ack& ack) {
        if (ack.verdict == model::Verdict::parked || ack.verdict == model::Verdict::delivered) {
          self->delivered().forget(delivery->chunk.id);
          delivery->done(std::move(delivery->answer));
        } else {
          self->put_aside(*delivery, ack.reason, ack.retry_after);
        }
      };
      archive.submit(delivery->chunk, std::move(on_ack));
    } catch (const std::bad_alloc&) {
      put_aside(*delivery, "no memory", {});
    }
  }

  // The archive has not taken it: it comes again later, unless that costs what is not delivered yet.
  void put_aside(Delivery& delivery, std::string_view why, std::optional<base::Duration> retry_after) noexcept {
    model::Ack later = model::not_sent_for_want_of_memory(delivery.chunk.id);
    later.retry_after = std::max(options.retry_after, retry_after.value_or(base::Duration::zero()));
    bool is_kept = false;
    try {
      later.reason = "delivered; the archive: ";
      later.reason += why;
      const bool is_short = options.room_is_short && options.room_is_short();
      is_kept = !is_short && delivered().keep(delivery.answer);
    } catch (const std::exception&) {
      // Without memory it cannot be remembered.
    }
    if (is_kept) {
      delivery.done(std::move(later));
      return;
    }
    delivered().forget(delivery.chunk.id);
    delivered().missed_item_count.fetch_add(delivery.chunk.item_count, std::memory_order_relaxed);
    os::log(os::LogLevel::warn, "{} delivered items are not archived, there is no room to wait for the archive: {}",
            delivery.chunk.item_count, why);
    delivery.done(std::move(delivery.answer));
  }

  model::Sink& inner;
  model::Sink& archive;
  const std::shared_ptr<DeliveredChunks> owner;
  os::Clock& clock;
  const ArchivingOptions options;
};

ArchivingSink::ArchivingSink(model::Sink& inner, model::Sink& archive, std::shared_ptr<DeliveredChunks> delivered,
                             os::Clock& clock, ArchivingOptions options)
    : state_(std::make_shared<State>(inner, archive, std::move(delivered), clock, std::move(options))) {}

std::string_view ArchivingSink::name() const noexcept { return state_->inner.name(); }

model::Readiness ArchivingSink::readiness(model::Signal signal, base::SteadyTime now) noexcept {
  return state_->inner.readiness(signal, now);
}

void ArchivingSink::submit(model::Chunk chunk, model::AckCallback done) noexcept {
  State& state = *state_;
  if (!state.options.signals.contains(chunk.signal)) {
    state.inner.submit(std::move(chunk), std::move(done));
    return;
  }
  const model::ChunkId id = chunk.id;
  std::shared_ptr<Delivery> delivery;
  try {
    delivery = std::make_shared<Delivery>();
    delivery->chunk = std::move(chunk);
    delivery->done = std::move(done);
    if (std::optional<model::Ack> answer = state.delivered().find(id)) {
      delivery->answer = std::move(*answer);
      state.store(delivery);
    } else {
      state.deliver(delivery);
    }
  } catch (const std::bad_alloc&) {
    (delivery ? delivery->done : done)(model::not_sent_for_want_of_memory(id));
  }
}

void ArchivingSink::cancel_all() noexcept {
  state_->inner.cancel_all();
  state_->archive.cancel_all();
}

}  // namespace arca::flow
