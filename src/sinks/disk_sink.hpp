// DiskSink: parks chunks in a journal on the local disk. The overflow route of every router, and the only one when no
// Cassandra is configured.
#pragma once

#include "journal/journal.hpp"
#include "model/sink.hpp"

namespace arca::sinks {

// Thread-safe. submit waits for the append (and with Durability::power for the disk), then answers at once.
class DiskSink final : public model::Sink {
 public:
  // `journal` must outlive the sink.
  explicit DiskSink(journal::Journal& journal) noexcept : journal_(journal) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "disk"; }
  [[nodiscard]] model::Readiness readiness(model::Signal signal, base::SteadyTime now) noexcept override;
  void submit(model::Chunk chunk, model::AckCallback done) noexcept override;
  void cancel_all() noexcept override {}  // nothing is ever under way when submit has returned

 private:
  journal::Journal& journal_;
};

}  // namespace arca::sinks
