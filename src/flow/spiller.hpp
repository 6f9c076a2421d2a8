// Spiller: moves the oldest sealed chunks of the pool into the journal, on the calling thread. It is the pool's room
// maker, when the dispatcher's parking under pressure was not fast enough, and it empties the pool at shutdown.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "flow/doorbell.hpp"
#include "flow/report.hpp"
#include "model/chunk_source.hpp"
#include "os/clock.hpp"

namespace arca::flow {

struct SpillerOptions {
  // After a failure, calls return at once for this long, unless something was settled: a pool that is full must not
  // make each record try the disk.
  base::Duration retry_interval = std::chrono::milliseconds(10);
  Report report = {};
};

struct SpillReport {
  std::uint64_t chunk_count = 0;
  std::uint64_t item_count = 0;
  bool complete = false;  // the source has nothing left to claim
};

// Thread-safe. `pool` and `clock` outlive it.
class Spiller {
 public:
  // Journal::append in the program. On return the chunk is durable.
  using Append = std::function<Result<void>(const model::Chunk&)>;

  // `progress` is the live dispatcher's: it rings whenever a chunk was settled.
  Spiller(model::ChunkSource& pool, Append append, std::shared_ptr<Doorbell> progress, os::Clock& clock,
          SpillerOptions options);

  // For Pool::set_room_maker: whether a chunk was moved. Waits for the disk, never for anything else.
  bool make_room() noexcept;
  // Moves everything that is not in flight, whatever its release time. Fails with the journal's error, chunks so far
  // stay moved.
  Result<SpillReport> spill_all(base::SteadyTime deadline);

  [[nodiscard]] std::uint64_t spilled_chunk_count() const noexcept { return spilled_.load(); }

 private:
  // The items moved; nothing if there was nothing to move.
  Result<std::optional<std::uint32_t>> spill_one(base::SteadyTime claim_time, base::SteadyTime release_time);

  model::ChunkSource& pool_;
  Append append_;
  std::shared_ptr<Doorbell> progress_;
  os::Clock& clock_;
  SpillerOptions options_;
  std::atomic<std::uint64_t> spilled_{0};
  std::atomic<std::int64_t> hopeless_until_{0};      // steady nanoseconds
  std::atomic<std::uint64_t> hopeless_progress_{0};  // what the doorbell said then
};

}  // namespace arca::flow
