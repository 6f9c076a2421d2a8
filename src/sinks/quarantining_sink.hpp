// QuarantiningSink: around another sink, keeps what that sink rejects for good. OTLP forbids to send such chunks
// again, so they lie in a journal of their own until people have looked at them. Wraps the Collector sink.
#pragma once

#include <atomic>
#include <cstdint>

#include "journal/journal.hpp"
#include "model/sink.hpp"

namespace arca::sinks {

struct QuarantineCounters {
  std::uint64_t kept_chunk_count = 0;
  std::uint64_t unkept_chunk_count = 0;  // the quarantine was full or its disk failed
};

// Thread-safe. The ack of a rejected chunk, or of one with refused items, says Tier::journal if the chunk is kept
// (the law counts its items as quarantined) and Tier::none if it could not be (they are lost; the reason
// says why). The quarantine's byte budget is the journal's.
class QuarantiningSink final : public model::Sink {
 public:
  // Both must outlive the sink.
  QuarantiningSink(model::Sink& inner, journal::Journal& quarantine) noexcept
      : inner_(inner), quarantine_(quarantine) {}

  [[nodiscard]] std::string_view name() const noexcept override { return inner_.name(); }
  [[nodiscard]] model::Readiness readiness(model::Signal signal, base::SteadyTime now) noexcept override {
    return inner_.readiness(signal, now);
  }
  void submit(model::Chunk chunk, model::AckCallback done) noexcept override;
  void cancel_all() noexcept override { inner_.cancel_all(); }
  [[nodiscard]] QuarantineCounters counters() const noexcept;

 private:
  void keep(const model::Chunk& chunk, model::Ack& ack) noexcept;

  model::Sink& inner_;
  journal::Journal& quarantine_;
  std::atomic<std::uint64_t> kept_{0};
  std::atomic<std::uint64_t> unkept_{0};
};

}  // namespace arca::sinks
