// CassandraTier: all that one process needs to park in Cassandra and to deliver what lies there: the link, the sinks
// for its own chunks, for those of dead writers and for the archive, the writer of rows, the parked source, and the
// thread that tends them. Used by Pipeline and by `arca recover`.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "arca/status.hpp"
#include "base/time.hpp"
#include "cassandra/cassandra_sink.hpp"
#include "cassandra/parked_source.hpp"
#include "cassandra/timing.hpp"
#include "model/sink.hpp"
#include "os/clock.hpp"
#include "telemetry/cassandra_link.hpp"

namespace arca::telemetry {

struct CassandraTierOptions {
  model::WriterId writer;
  std::string host;
  bool writes_rows = true;
  std::uint64_t rows_per_second = 0;
  std::uint32_t row_batches_in_flight = 24;
  bool archives = false;
  std::string datacenter{};  // whose parked chunks it is about; empty: of the nodes that are asked
  bool recovers = true;
  bool only_looks = false;  // writes nothing, neither tables nor leases; its sinks are not to be used
  base::Duration scan_interval = std::chrono::seconds(5);
  std::chrono::seconds chunk_ttl{1'209'600};
  cassandra::Timing timing = cassandra::timing();
  // Whether the Collector takes everything, as far as its breakers know. When that turns true, what is parked is made
  // ready for recovery at once. Thread-safe; empty: never.
  std::function<bool()> collector_is_well = {};
  base::Duration poll = std::chrono::milliseconds(100);         // how often to look at all this
  base::Duration schema_retry_first = std::chrono::seconds(1);  // after tables that did not fit
  base::Duration schema_retry_max = std::chrono::seconds(30);
};

// What has become of items that were parked, beyond what the pool and the journal know.
struct ParkedItems {
  std::array<std::uint64_t, model::signal_count> delivered{};
  std::array<std::uint64_t, model::signal_count> quarantined{};
  std::array<std::uint64_t, model::signal_count> lost{};  // gone from Cassandra before anybody had delivered them
  std::uint64_t waiting_item_count = 0;
};

// Thread-safe, but for end(). It waits for no cluster: until connection and tables are there its sinks are not ready,
// and whatever goes wrong is said in the log and in status(). Who holds one of its sinks must be gone before it.
class CassandraTier {
 public:
  static Result<std::unique_ptr<CassandraTier>> start(std::unique_ptr<CassandraLink> link, os::Clock& clock,
                                                      CassandraTierOptions options);
  // As the settings say. `archives` and `recovers` are the caller's.
  static Result<std::unique_ptr<CassandraTier>> start(const CassandraSettings& settings, os::Clock& clock,
                                                      CassandraTierOptions options);
  ~CassandraTier();
  CassandraTier(const CassandraTier&) = delete;
  CassandraTier& operator=(const CassandraTier&) = delete;

  // For chunks that this process has recorded, and for others: what becomes of its own is told apart by that.
  [[nodiscard]] model::Sink& own() noexcept;
  [[nodiscard]] model::Sink& foreign() noexcept;
  [[nodiscard]] model::Sink* archive() noexcept;                    // null unless it archives
  [[nodiscard]] cassandra::ParkedSource* parked_source() noexcept;  // null unless it recovers

  // For the lane that drains it: tends it once the tables are there. Requires parked_source().
  base::SteadyTime tend_parked(base::SteadyTime now);
  // Whether nothing is left, as far as a whole look at the directory tells that began after the last chunk was parked
  // here; sees to it that there is one. For one thread. Requires parked_source().
  [[nodiscard]] bool is_drained();

  // Whether a metric chunk of this process waits there.
  [[nodiscard]] bool holds_metrics() const noexcept;
  [[nodiscard]] bool is_ready() const noexcept;
  [[nodiscard]] ParkedItems parked_items() const;
  [[nodiscard]] CassandraStatus status() const;

  // Stops tending, seals what is open, gives leases back, ends what is under way: whoever waits for an ack has it when
  // this returns, soon after the deadline at the latest. Only the first call does anything. Requires: nobody submits or
  // claims.
  void end(base::SteadyTime deadline);

 private:
  class State;
  explicit CassandraTier(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace arca::telemetry
