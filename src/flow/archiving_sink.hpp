// ArchivingSink: around another sink, keeps what that sink has delivered in an archive as well (also_store = all). It
// stands outside the router, so that a slow archive tells the Collector's breaker nothing. Used by the lanes to the
// Collector.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "model/sink.hpp"
#include "os/clock.hpp"

namespace arca::flow {

// Chunks that were delivered and are not archived yet, with the Collector's answer, and how much was never archived.
// Shared by all lanes of a process: a chunk may come again by another one, out of the journal. Lost with the process:
// then the Collector gets such a chunk twice, with the same id. Thread-safe.
class DeliveredChunks {
 public:
  explicit DeliveredChunks(std::size_t count_max = 65'536);
  ~DeliveredChunks();
  DeliveredChunks(const DeliveredChunks&) = delete;
  DeliveredChunks& operator=(const DeliveredChunks&) = delete;

  [[nodiscard]] std::size_t count() const;
  // Items that were delivered, and that the archive has not.
  [[nodiscard]] std::uint64_t missed_item_count() const noexcept;

 private:
  friend class ArchivingSink;
  struct State;
  std::unique_ptr<State> state_;
};

struct ArchivingOptions {
  model::SignalSet signals = model::SignalSet::only(model::Signal::traces);  // what is archived
  base::Duration retry_after = std::chrono::milliseconds(500);               // when the archive does not take it
  // Whether what waits for the archive takes room that records need. Thread-safe; empty: never.
  std::function<bool()> room_is_short = {};
};

// Thread-safe. `inner`, `archive` and `clock` outlive it and every delivery under way.
//
// A chunk is acknowledged as delivered when both have it. One that the archive does not take is given back for later;
// when it comes again the archive alone is asked. But delivery comes first: where room is short, and beyond the number
// that DeliveredChunks keeps, a delivered chunk is acknowledged without the archive and counted as missed. What `inner`
// parks is left as it is: it lies there already.
class ArchivingSink final : public model::Sink {
 public:
  ArchivingSink(model::Sink& inner, model::Sink& archive, std::shared_ptr<DeliveredChunks> delivered, os::Clock& clock,
                ArchivingOptions options = {});

  [[nodiscard]] std::string_view name() const noexcept override;
  [[nodiscard]] model::Readiness readiness(model::Signal signal, base::SteadyTime now) noexcept override;
  void submit(model::Chunk chunk, model::AckCallback done) noexcept override;
  void cancel_all() noexcept override;

 private:
  struct State;
  std::shared_ptr<State> state_;  // late acks may outlive this object
};

}  // namespace arca::flow
