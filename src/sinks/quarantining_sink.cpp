#include "sinks/quarantining_sink.hpp"

#include <exception>
#include <memory>
#include <new>
#include <utility>

#include "os/log.hpp"

namespace arca::sinks {

void QuarantiningSink::submit(model::Chunk chunk, model::AckCallback done) noexcept {
  const model::ChunkId id = chunk.id;
  std::shared_ptr<model::AckCallback> kept_done;
  try {
    kept_done = std::make_shared<model::AckCallback>(std::move(done));
    // The copy is cheap (the payload is shared) and keeps the bytes until the verdict is known.
    model::AckCallback on_ack = [this, chunk, kept_done](model::Ack ack) {
      const bool refused = ack.verdict == model::Verdict::delivered && ack.refused_item_count > 0;
      if (ack.verdict == model::Verdict::rejected || refused) keep(chunk, ack);
      (*kept_done)(std::move(ack));
    };
    inner_.submit(std::move(chunk), std::move(on_ack));
  } catch (const std::bad_alloc&) {
    (kept_done ? *kept_done : done)(model::not_sent_for_want_of_memory(id));
  }
}

void QuarantiningSink::keep(const model::Chunk& chunk, model::Ack& ack) noexcept {
  ack.tier = model::Tier::none;
  try {
    const auto kept = quarantine_.append(chunk);
    if (kept) {
      ack.tier = model::Tier::journal;
      kept_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    ack.reason += "; not kept in quarantine: " + kept.error().message();
  } catch (const std::exception& error) {
    os::log(os::LogLevel::error, "chunk {} could not be kept in quarantine: {}", to_string(chunk.id), error.what());
  }
  unkept_.fetch_add(1, std::memory_order_relaxed);
}

QuarantineCounters QuarantiningSink::counters() const noexcept {
  return {kept_.load(std::memory_order_relaxed), unkept_.load(std::memory_order_relaxed)};
}

}  // namespace arca::sinks
