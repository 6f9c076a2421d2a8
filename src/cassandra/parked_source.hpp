// ParkedSource: the chunks that lie in Cassandra, of any writer, as a ChunkSource: recovery's dispatcher drains it into
// the Collector like a journal. Several processes may do so at the same time: each shard has a lease (LWT), progress is
// kept in the directory, and whoever comes later goes on where the one before him was. See store.hpp for what is whole
// when.
//
// What is sent twice (under the same chunk id): after a crash at most what was in flight and what was settled since
// progress was last written (progress_interval); after a lost lease the same. Metric chunks of a writer leave in the
// order of its segments and of their positions in them, none while an earlier one is unsettled or may still appear.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cassandra/row_writer.hpp"
#include "cassandra/store.hpp"
#include "model/chunk_source.hpp"
#include "os/clock.hpp"
#include "os/random.hpp"

namespace arca::cassandra {

struct ParkedSourceOptions {
  bool only_looks = false;               // scans, and neither takes a lease nor reads a chunk nor writes anything
  std::uint32_t shards_max = 4;          // leases held at a time
  std::uint32_t read_ahead_chunks = 32;  // read and not yet settled, over all: the bound of its memory
  std::uint64_t read_ahead_bytes = 16ULL << 20U;
  std::chrono::seconds lease_ttl{30};
  base::Duration lease_renewal = std::chrono::seconds(10);
  base::Duration scan_interval = std::chrono::seconds(5);
  base::Duration lifetime = segment_lifetime;
  base::Duration margin = segment_margin;
  base::Duration rows_still_time = std::chrono::minutes(1);    // rows that have not moved for so long have no writer
  base::Duration progress_interval = std::chrono::seconds(1);  // how often progress is written
  double ttl_alarm = 0.5;    // of the TTL of chunks: older undelivered ones raise an alarm
  double ttl_rewrite = 0.8;  // and these are written anew
  std::chrono::seconds chunk_ttl{1'209'600};
  std::function<void(const Error&)> report;  // empty: the library's log
};

struct ParkedSourceStatus {
  std::uint64_t segments_known = 0;    // not replayed
  std::uint64_t segments_waiting = 0;  // of them, unsealed and not yet known to be whole
  std::uint64_t segments_done = 0;     // by this source
  std::uint64_t chunks_read = 0;
  std::uint64_t damaged_chunk_count = 0;  // could not be unpacked: kept in quarantine
  std::uint64_t rewritten_chunk_count = 0;
  std::uint64_t lost_chunk_count = 0;  // at most: Cassandra had acknowledged them, and has them no more
  std::uint64_t lost_lease_count = 0;
  std::uint32_t leases_held = 0;
  bool near_ttl = false;  // something undelivered is older than the alarm
  std::optional<base::WallTime> oldest;
  std::string last_error;
  bool scanned = false;  // at least one whole look at the directory has ended
};

// Thread-safe. Store, clock, random and `rows` (may be null) outlive it. It waits for nobody: tend() sends what is to
// be asked, and the answers wake the dispatcher.
class ParkedSource final : public model::ChunkSource {
 public:
  ParkedSource(ParkingStore& store, RowWriter* rows, os::Clock& clock, os::Random& random, ParkedSourceOptions options);
  ~ParkedSource() override;

  // Scans, leases, reads ahead, writes progress. Called by recovery's thread before each step of the dispatcher;
  // returns when to call again.
  base::SteadyTime tend(base::SteadyTime now);
  // Writes the last progress and gives the leases back.
  bool close(base::SteadyTime deadline);
  // Looks at the directory at once: something was parked, or the Collector is back.
  void scan_now();
  // Nothing is left, as far as one whole scan tells that began after the last scan_now(): for a single pass of
  // `arca recover`.
  [[nodiscard]] bool is_drained() const;
  [[nodiscard]] ParkedSourceStatus status() const;

  Result<std::optional<model::Claim>> claim(model::SignalSet signals, base::SteadyTime now) override;
  Result<void> settle(const model::Ack& ack) override;
  void release(const model::ChunkId& id, base::SteadyTime not_before) override;
  void forget_release_times() override;
  [[nodiscard]] base::SteadyTime next_claim_at(model::SignalSet signals, base::SteadyTime now) override;
  void set_waker(std::function<void()> waker) override;
  [[nodiscard]] model::Backlog backlog() const override;

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace arca::cassandra
