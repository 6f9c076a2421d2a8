// RecoveryParts: the machine of `arca recover`: the Collector, the dead writers of a state directory, and what lies in
// Cassandra when one is configured, put together around one Recovery.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "arca/config.hpp"
#include "arca/status.hpp"
#include "cassandra/closable_cql.hpp"
#include "cassandra/row_scanner.hpp"
#include "cli/lazy_quarantine.hpp"
#include "flow/guarded_sink.hpp"
#include "flow/recovery.hpp"
#include "flow/router.hpp"
#include "os/clock.hpp"
#include "sinks/collector_sink.hpp"
#include "telemetry/cassandra_tier.hpp"

namespace arca::cli {

struct RecoveryPlan {
  bool only_looks = false;  // for a dry run
  bool single_pass = true;  // begins without jitter, and does not wait for ever for Cassandra
  // Instead of everything else: sends the rows of traces_overflow, and keeps the progress under this name.
  std::optional<std::string> scan_rows = {};
  // Instead of everything else: delivers what is parked in this datacenter, which is lost, as far as it has come here.
  std::string datacenter = {};
};

// Not thread-safe: made and used by the main thread, but for the recovery it holds.
class RecoveryParts {
 public:
  // `settings` and `clock` outlive it. ErrorCode::unavailable or timeout: the cluster whose rows are wanted is not
  // there.
  static Result<std::unique_ptr<RecoveryParts>> make(const Settings& settings, os::Clock& clock,
                                                     const RecoveryPlan& plan);
  ~RecoveryParts();
  RecoveryParts(const RecoveryParts&) = delete;
  RecoveryParts& operator=(const RecoveryParts&) = delete;

  [[nodiscard]] flow::Recovery& recovery() noexcept { return *recovery_; }
  [[nodiscard]] std::string collector_error() const { return collector_->status().last_error; }
  // Nothing where no Cassandra is configured.
  [[nodiscard]] std::optional<CassandraStatus> cassandra_status() const;
  // Nothing unless rows are scanned.
  [[nodiscard]] std::optional<cassandra::RowScannerStatus> scan_status() const;
  // For a look without a pass: drives the search for what is parked, once; whether it has ended.
  void tend();
  [[nodiscard]] bool has_scanned() const;
  // Whether a single pass ended without having seen what is parked.
  [[nodiscard]] bool missed_cassandra() const;
  // Chunks, at most, that came to the end of their life in Cassandra undelivered.
  [[nodiscard]] std::uint64_t lost_chunk_count() const;

 private:
  RecoveryParts(const Settings& settings, os::Clock& clock);
  Result<void> add_cassandra(flow::RecoveryOptions& options, const RecoveryPlan& plan);
  Result<void> add_row_scan(flow::RecoveryOptions& options, const std::string& name);

  const Settings& settings_;
  os::Clock& clock_;
  LazyQuarantine quarantine_;
  std::unique_ptr<flow::Writers> writers_;
  std::unique_ptr<sinks::CollectorSink> collector_;
  std::unique_ptr<flow::GuardedSink> guarded_collector_;
  std::unique_ptr<telemetry::CassandraTier> cassandra_;
  std::unique_ptr<flow::GuardedSink> parking_;
  std::unique_ptr<flow::Router> router_;
  std::unique_ptr<cassandra::ClosableCql> cql_;
  std::unique_ptr<cassandra::RowScanner> scanner_;
  std::unique_ptr<flow::Recovery> recovery_;
};

}  // namespace arca::cli
