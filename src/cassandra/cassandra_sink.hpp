// CassandraSink: parks chunks in Cassandra: the overflow tier that outlives the host. It packs each chunk, puts it into
// its writer's open segment, and answers `parked` once the configured consistency (LOCAL_QUORUM) acknowledged it. See
// store.hpp for what a segment is and why nothing is lost around it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "cassandra/row_writer.hpp"
#include "cassandra/store.hpp"
#include "model/sink.hpp"
#include "os/clock.hpp"
#include "os/random.hpp"

namespace arca::cassandra {

struct CassandraSinkOptions {
  model::WriterId writer;
  std::string host;
  Purpose purpose = Purpose::overflow;
  std::uint32_t in_flight_max = 32;  // chunks
  std::uint32_t stripe_count = 2;    // segments open at a time; metrics always use the first
  base::Duration lifetime = segment_lifetime;
  base::Duration margin = segment_margin;     // what recoverers wait beyond it
  std::chrono::seconds chunk_ttl{1'209'600};  // of the table of chunks
  std::uint64_t segment_bytes = segment_bytes_max;
  base::Duration idle_time = std::chrono::seconds(2);  // a segment without new chunks for so long is sealed
  // How long a chunk that was surely not written is tried again before the next tier gets it. One of unknown outcome is
  // tried until its segment is too old: it may lie there, and would be parked twice.
  base::Duration retry_time = std::chrono::seconds(2);
  base::Duration watch_interval = std::chrono::seconds(2);  // how often to ask whether own segments were replayed
};

// What this writer has parked and what has become of it.
struct ParkedAccount {
  ItemCounts parked{};       // items acknowledged, ever
  ItemCounts delivered{};    // of them, by a recoverer to the Collector
  ItemCounts quarantined{};  // of them, rejected for good
  ItemCounts lost{};         // of them, nobody will ever find: their life was over, or the cluster has lost them
  std::uint64_t stored_bytes = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t chunk_count = 0;
  std::uint64_t segment_count = 0;
  std::uint64_t open_segment_count = 0;
  std::uint64_t waiting_segment_count = 0;  // sealed or given up, and not replayed as far as known
  std::uint64_t missing_segment_count = 0;  // left the directory before they were seen replayed: their items are lost
  std::uint64_t parked_anew_count = 0;      // chunks whose acknowledgement came too late for their segment
  std::optional<base::WallTime> oldest;     // of what waits
};

// Thread-safe. The store, the clock and `rows` (may be null) outlive it and every delivery under way.
class CassandraSink final : public model::Sink {
 public:
  CassandraSink(ParkingStore& store, RowWriter* rows, os::Clock& clock, os::Random& random,
                CassandraSinkOptions options);
  ~CassandraSink() override;

  [[nodiscard]] std::string_view name() const noexcept override { return "cassandra"; }
  [[nodiscard]] model::Readiness readiness(model::Signal signal, base::SteadyTime now) noexcept override;
  void submit(model::Chunk chunk, model::AckCallback done) noexcept override;
  void cancel_all() noexcept override;

  // Seals what is idle or old, asks what has become of sealed segments. Call it several times a second; returns when it
  // is worth calling again.
  base::SteadyTime tend(base::SteadyTime now);
  // What comes next goes into new segments. For tables that may have been made anew: what is open has no row there, and
  // nobody would find what is put into it.
  void close_all();
  // Seals everything open and waits for the answers: at the end of the process, so that recovery need not wait for the
  // lifetime to pass. False: not everything is sealed at the deadline, or when it was told to stop.
  bool seal_all(base::SteadyTime deadline, const std::stop_token& stop = {});
  // Whether a metric chunk of this writer waits in Cassandra: later ones must then queue behind it.
  [[nodiscard]] bool holds_metrics() const noexcept;
  [[nodiscard]] ParkedAccount account() const;

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace arca::cassandra
