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
  std::uint64_t parked = 0;       // in Cassandra
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

struct Status {
  SignalStatus traces;
  SignalStatus metrics;
  SignalStatus logs;

  std::uint64_t pool_bytes = 0;  // in use
  std::uint64_t pool_size = 0;
  std::uint64_t journal_bytes = 0;  // in use
  std::uint64_t journal_size = 0;
  std::uint64_t backlog_bytes = 0;  // what is kept and not delivered
  std::optional<std::chrono::seconds> oldest_age;
  std::optional<std::chrono::seconds> until_full;  // at the present rate; nothing while the backlog does not grow

  std::array<Breaker, 3> breakers{};  // traces, metrics, logs
  std::string last_error;             // of the Collector; stays after success
  bool pool_on_tmpfs = false;
  std::string writer;  // id of this process's writer
  std::string state_directory;

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
