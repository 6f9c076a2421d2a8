// ChunkSource: gives chunks until each is settled. Implemented by the live pool, by a dead writer's pool, by
// the journal and by the Cassandra store; used by Dispatcher.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>

#include "arca/result.hpp"
#include "base/time.hpp"
#include "model/ack.hpp"
#include "model/chunk.hpp"

namespace arca::model {

struct Claim {
  Chunk chunk;
  std::uint32_t attempt_number = 1;  // 1 for the first claim in this process
};

// What a source still holds.
struct Backlog {
  std::uint64_t chunk_count = 0;
  std::uint64_t bytes = 0;
  std::array<std::uint64_t, signal_count> item_count{};
  std::optional<base::WallTime> oldest;
};

// Thread-safe.
class ChunkSource {
 public:
  virtual ~ChunkSource() = default;
  // Takes the oldest unsettled chunk of one of `signals` that nobody has claimed and whose release time has
  // come; base::never as `now` takes it whatever its release time. Metric chunks are given strictly in order: none
  // while an earlier one is unsettled.
  virtual Result<std::optional<Claim>> claim(SignalSet signals, base::SteadyTime now) = 0;
  // Records durably (for this source's kind of crash) that the chunk needs no more care. Requires is_settled.
  virtual Result<void> settle(const Ack& ack) = 0;
  // Gives a claimed chunk back: it can be claimed again from `not_before` on.
  virtual void release(const ChunkId& id, base::SteadyTime not_before) = 0;
  // What was given back may be claimed at once, whatever its release time: the reason for waiting is over.
  virtual void forget_release_times() = 0;
  // When claim() with these signals is worth calling again without any new event; base::never if only an event can
  // help.
  [[nodiscard]] virtual base::SteadyTime next_claim_at(SignalSet signals, base::SteadyTime now) = 0;
  // Sets what is called, from any thread, when something new can be claimed. Cheap, must not call back.
  virtual void set_waker(std::function<void()> waker) = 0;
  [[nodiscard]] virtual Backlog backlog() const = 0;
};

}  // namespace arca::model
