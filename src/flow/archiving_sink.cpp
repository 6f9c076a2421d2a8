#include "flow/archiving_sink.hpp"

#include <algorithm>
#include <exception>
#include <mutex>
#include <new>
#include <optional>
#include <unordered_map>
#include <utility>

namespace arca::flow {

struct DeliveredChunks::State {
  mutable std::mutex mutex;
  std::size_t count_max = 0;
  std::size_t reserved_count = 0;                         // under way to the Collector; these protected by mutex
  std::unordered_map<model::ChunkId, model::Ack> chunks;  // with what the Collector answered

  [[nodiscard]] bool is_full() const {
    const std::lock_guard lock(mutex);
    return chunks.size() + reserved_count >= count_max;
  }
  bool reserve() {
    const std::lock_guard lock(mutex);
    if (chunks.size() + reserved_count >= count_max) return false;
    ++reserved_count;
    return true;
  }
  void give_back() {
    const std::lock_guard lock(mutex);
    --reserved_count;
  }
  void keep(const model::Ack& ack) {
    const std::lock_guard lock(mutex);
    chunks.insert_or_assign(ack.chunk_id, ack);
  }
  [[nodiscard]] std::optional<model::Ack> find(const model::ChunkId& id) const {
    const std::lock_guard lock(mutex);
    const auto found = chunks.find(id);
    return found == chunks.end() ? std::nullopt : std::optional(found->second);
  }
  void forget(const model::ChunkId& id) {
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

struct ArchivingSink::State : std::enable_shared_from_this<ArchivingSink::State> {
  State(model::Sink& inner_in, model::Sink& archive_in, std::shared_ptr<DeliveredChunks> shared, os::Clock& clock_in,
        const ArchivingOptions& options_in)
      : inner(inner_in), archive(archive_in), owner(std::move(shared)), clock(clock_in), options(options_in) {}

  [[nodiscard]] DeliveredChunks::State& delivered() const noexcept { return *owner->state_; }

  [[nodiscard]] model::Ack put_off(const model::ChunkId& id, std::string reason) const {
    return {.chunk_id = id,
            .verdict = model::Verdict::retry,
            .retry_after = options.retry_after,
            .reason = std::move(reason)};
  }

  // To the inner sink first, and then on.
  void deliver(model::Chunk chunk, model::AckCallback done) noexcept {
    const model::ChunkId id = chunk.id;
    std::shared_ptr<model::AckCallback> kept;
    try {
      kept = std::make_shared<model::AckCallback>(std::move(done));
      model::AckCallback on_ack = [self = shared_from_this(), chunk, kept](model::Ack ack) {
        self->take_answer(chunk, std::move(ack), kept);
      };
      inner.submit(std::move(chunk), std::move(on_ack));
    } catch (const std::bad_alloc&) {
      delivered().give_back();
      (kept ? *kept : done)(model::not_sent_for_want_of_memory(id));
    }
  }

  void take_answer(const model::Chunk& chunk, model::Ack ack,
                   const std::shared_ptr<model::AckCallback>& done) noexcept {
    delivered().give_back();
    if (ack.verdict == model::Verdict::delivered) {
      try {
        delivered().keep(ack);
        store(chunk, std::move(ack), done);
        return;
      } catch (const std::exception&) {
        // Without memory the chunk comes again, and perhaps to the Collector, too.
        ack = model::not_sent_for_want_of_memory(chunk.id);
      }
    }
    (*done)(std::move(ack));
  }

  // The archive's turn. `answer` is what is acknowledged when it has the chunk.
  void store(const model::Chunk& chunk, model::Ack answer, const std::shared_ptr<model::AckCallback>& done) {
    if (!archive.readiness(chunk.signal, clock.steady_now()).ready) {
      (*done)(put_off(chunk.id, "delivered; the archive takes nothing now"));
      return;
    }
    archive.submit(chunk, [self = shared_from_this(), answer = std::move(answer), done](const model::Ack& ack) mutable {
      if (ack.verdict == model::Verdict::parked || ack.verdict == model::Verdict::delivered) {
        self->delivered().forget(answer.chunk_id);
        (*done)(std::move(answer));
        return;
      }
      model::Ack later = self->put_off(answer.chunk_id, "delivered; the archive: " + ack.reason);
      later.retry_after = std::max(*later.retry_after, ack.retry_after.value_or(base::Duration::zero()));
      (*done)(std::move(later));
    });
  }

  model::Sink& inner;
  model::Sink& archive;
  const std::shared_ptr<DeliveredChunks> owner;
  os::Clock& clock;
  const ArchivingOptions options;
};

ArchivingSink::ArchivingSink(model::Sink& inner, model::Sink& archive, std::shared_ptr<DeliveredChunks> delivered,
                             os::Clock& clock, ArchivingOptions options)
    : state_(std::make_shared<State>(inner, archive, std::move(delivered), clock, options)) {}

std::string_view ArchivingSink::name() const noexcept { return state_->inner.name(); }

model::Readiness ArchivingSink::readiness(model::Signal signal, base::SteadyTime now) noexcept {
  // Full: what comes again may still be archived, and makes room.
  if (state_->options.signals.contains(signal) && state_->delivered().is_full()) {
    model::Readiness readiness = state_->archive.readiness(signal, now);
    readiness.ask_again_at = std::min(readiness.ask_again_at, now + state_->options.retry_after);
    return readiness;
  }
  return state_->inner.readiness(signal, now);
}

void ArchivingSink::submit(model::Chunk chunk, model::AckCallback done) noexcept {
  State& state = *state_;
  if (!state.options.signals.contains(chunk.signal)) {
    state.inner.submit(std::move(chunk), std::move(done));
    return;
  }
  const model::ChunkId id = chunk.id;
  std::shared_ptr<model::AckCallback> kept;
  try {
    if (std::optional<model::Ack> answer = state.delivered().find(id)) {
      kept = std::make_shared<model::AckCallback>(std::move(done));
      state.store(chunk, std::move(*answer), kept);
      return;
    }
    if (!state.delivered().reserve()) {
      done(state.put_off(id, "not sent: too much is delivered and not archived"));
      return;
    }
  } catch (const std::bad_alloc&) {
    (kept ? *kept : done)(model::not_sent_for_want_of_memory(id));
    return;
  }
  state.deliver(std::move(chunk), std::move(done));
}

void ArchivingSink::cancel_all() noexcept {
  state_->inner.cancel_all();
  state_->archive.cancel_all();
}

}  // namespace arca::flow
