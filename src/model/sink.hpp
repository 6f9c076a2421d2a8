// Sink: takes chunks and answers for each exactly once. Implemented by the Collector, Cassandra and disk
// sinks and by Router, which is a sink of sinks; used by Dispatcher.
#pragma once

#include <functional>
#include <string_view>

#include "base/time.hpp"
#include "model/ack.hpp"
#include "model/chunk.hpp"

namespace arca::model {

// Whether a sink takes another chunk of a signal now; if not, when to ask again (base::never: when the
// next ack arrives; who waits for none himself asks now and then, because others may fill the sink's window).
struct Readiness {
  bool ready = true;
  base::SteadyTime ask_again_at = base::never;
};

using AckCallback = std::function<void(Ack)>;

// For a sink that hands a chunk on and has no memory for what that needs: nothing was sent.
inline Ack not_sent_for_want_of_memory(const ChunkId& id) noexcept {
  Ack ack;
  ack.chunk_id = id;
  ack.verdict = Verdict::retry;
  return ack;
}

// Thread-safe.
class Sink {
 public:
  virtual ~Sink() = default;
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  // Cheap; called before each submit.
  [[nodiscard]] virtual Readiness readiness(Signal signal, base::SteadyTime now) noexcept = 0;
  // Begins to deliver and returns at once. Calls `done` exactly once, from any thread, possibly before
  // submit returns, at the latest when the sink's own time-out for one delivery has passed.
  virtual void submit(Chunk chunk, AckCallback done) noexcept = 0;
  // Ends every delivery under way as Verdict::unknown, soon. The sink stays usable.
  virtual void cancel_all() noexcept = 0;
};

}  // namespace arca::model
