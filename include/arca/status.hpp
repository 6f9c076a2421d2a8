// How telemetry fares: the conservation law in numbers, what is kept, how long that can go on, and how the Collector
// answers. Used by applications through Telemetry::status and by `arca status`.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "arca/export.hpp"

namespace arca {

// Items (spans, log records, data points) of one signal since this process started.
struct SignalStatus {
  std::uint64_t accepted = 0;  // End(), EmitLogRecord or a collection has returned
  std::uint64_t delivered = 0;
  std::uint64_t parked = 0;       // in Cassandra, and not known to have been delivered from there
  std::uint64_t quarantined = 0;  // rejected by the Collector for good, kept
  std::uint64_t in_journal = 0;
  std::uint64_t in_memory = 0;  // in the pool: survives the process, not the host
  std::uint64_t refused = 0;    // by policy: every tier was full
  std::uint64_t lost = 0;       // must be 0

  // The law.
  [[nodiscard]] bool holds() const noexcept {
    return accepted == delivered + parked + quarantined + in_journal + in_memory + refused + lost;
  }
};

// State of the circuit breaker before the Collector.
enum class Breaker : std::uint8_t { closed, open, half_open };

// The tier that outlives the host.
struct CassandraStatus {
  bool configured = false;
  bool connected = false;
  bool ready = false;  // the tables fit, too: chunks can be parked
  std::uint32_t node_count = 0;
  std::uint32_t up_count = 0;
  std::uint64_t parked_bytes = 0;      // by this process, as stored
  std::uint64_t failure_count = 0;     // chunks it did not acknowledge: each stayed, and was sent again or elsewhere
  std::uint64_t open_segments = 0;     // of this process
  std::uint64_t waiting_segments = 0;  // of this process: sealed, and not delivered as far as it knows
  std::uint64_t segments_known = 0;    // of anybody: what this process, as a recoverer, knows to be undelivered
  std::optional<std::chrono::seconds> oldest_age;  // of what waits
  std::uint64_t rows_pending = 0;                  // items whose rows for look-up are not written yet
  bool near_ttl = false;                           // something undelivered is older than half of its TTL
  // Of what this process has parked: delivered by recovery, or rejected then, or gone before (TTL, dropped tables).
  // traces, metrics, logs.
  std::array<std::uint64_t, 3> replayed{};
  std::array<std::uint64_t, 3> replay_quarantined{};
  std::array<std::uint64_t, 3> parked_lost{};
  std::uint64_t archive_missed = 0;  // items that were delivered and not archived, for want of room to wait
  std::string last_error;
};

struct Status {
  SignalStatus traces;
  SignalStatus metrics;
  SignalStatus logs;

  std::uint64_t pool_bytes = 0;  // in use
  std::uint64_t pool_size = 0;
  std::uint64_t journal_bytes = 0;  // in use
  std::uint64_t journal_size = 0;
  std::uint64_t backlog_bytes = 0;  // what is kept and not delivered
  // What neither the Collector nor Cassandra has acknowledged: what a loss of this host would take.
  std::uint64_t unreplicated_bytes = 0;
  std::uint64_t unreplicated_items = 0;
  std::optional<std::chrono::seconds> oldest_age;
  std::optional<std::chrono::seconds> until_full;  // at the present rate; nothing while the backlog does not grow

  std::array<Breaker, 3> breakers{};  // traces, metrics, logs
  std::string last_error;             // of the Collector; stays after success
  bool pool_on_tmpfs = false;
  std::string writer;  // id of this process's writer
  std::string state_directory;
  CassandraStatus cassandra;

  [[nodiscard]] bool holds() const noexcept { return traces.holds() && metrics.holds() && logs.holds(); }
};

ARCA_EXPORT std::string to_json(const Status& status);

enum class FlushOutcome : std::uint8_t {
  delivered,   // the Collector has everything that was accepted before the call
  kept,        // nothing is lost, but kept_item_count items are not delivered yet
  incomplete,  // something was not even brought into the pool in time, or was refused or lost
};

struct FlushReport {
  FlushOutcome outcome = FlushOutcome::delivered;
  std::uint64_t kept_item_count = 0;
};

}  // namespace arca
