#include "cli/recovery_parts.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "cassandra/cql_client.hpp"
#include "cassandra/parked_source.hpp"
#include "cassandra/schema.hpp"
#include "flow/no_writers.hpp"
#include "flow/writer_files.hpp"
#include "os/environment.hpp"
#include "os/file_system.hpp"
#include "os/random.hpp"
#include "telemetry/cassandra_config.hpp"
#include "telemetry/collector.hpp"

namespace arca::cli {

namespace {
constexpr base::Duration cassandra_patience = std::chrono::seconds(30);  // of a single pass, for a connection
constexpr base::Duration end_time = std::chrono::seconds(5);
constexpr base::Duration read_time = std::chrono::seconds(1);  // for answers under way when a scan of rows ends
constexpr std::uint32_t parking_in_flight = 8;
}  // namespace

RecoveryParts::RecoveryParts(const Settings& settings, os::Clock& clock)
    : settings_(settings),
      clock_(clock),
      quarantine_(settings.state_directory, settings.quarantine_size, os::posix_file_system(), clock) {}

// What is under way comes back through the router and its doors, which die before what stands behind them: so nothing
// may be under way any more.
RecoveryParts::~RecoveryParts() {
  recovery_.reset();
  if (collector_) collector_->close();
  if (cql_) cql_->close(clock_.steady_now() + read_time);
  if (cassandra_) cassandra_->end(clock_.steady_now() + end_time);
}

Result<std::unique_ptr<RecoveryParts>> RecoveryParts::make(const Settings& settings, os::Clock& clock,
                                                           const RecoveryPlan& plan) {
  std::unique_ptr<RecoveryParts> all(new RecoveryParts(settings, clock));
  RecoveryParts& it = *all;
  auto collector = telemetry::make_collector(settings, clock);
  if (!collector) return tl::unexpected(collector.error());
  it.collector_ = std::move(*collector);
  const flow::Random random = flow::uniform(os::system_random());
  it.guarded_collector_ = std::make_unique<flow::GuardedSink>(*it.collector_, clock, flow::BreakerOptions{}, random);
  os::FileSystem& files = os::posix_file_system();
  if (files.exists(settings.state_directory) && !plan.scan_rows && plan.datacenter.empty()) {
    it.writers_ = std::make_unique<flow::WriterFiles>(settings.state_directory, files, clock);
  } else {
    it.writers_ = std::make_unique<flow::NoWriters>();
  }

  flow::RecoveryOptions options;
  options.limits = {.bytes_per_second = settings.recovery_bytes_per_second};
  options.scan_interval = settings.recovery_scan_interval;
  if (plan.single_pass) options.start_jitter = base::Duration::zero();
  options.random = random;
  options.keep_rejected = [&quarantine = it.quarantine_](const model::Chunk& chunk, const model::Ack&) {
    auto kept = quarantine.keep(chunk);
    // Nobody waits behind it here: it stays where it is.
    if (!kept && kept.error().code() == ErrorCode::full) kept = failure(ErrorCode::unavailable, kept.error().message());
    return kept;
  };
  if (plan.scan_rows) {
    if (const auto added = it.add_row_scan(options, *plan.scan_rows); !added) return tl::unexpected(added.error());
  } else if (settings.cassandra.is_configured()) {
    if (const auto added = it.add_cassandra(options, plan); !added) return tl::unexpected(added.error());
  }
  model::Sink& sink = it.router_ ? static_cast<model::Sink&>(*it.router_) : *it.guarded_collector_;
  it.recovery_ = std::make_unique<flow::Recovery>(*it.writers_, nullptr, sink, clock, std::move(options));
  return all;
}

// What is parked is one lane more; what dead writers left is parked, too, while the Collector is away.
Result<void> RecoveryParts::add_cassandra(flow::RecoveryOptions& options, const RecoveryPlan& plan) {
  telemetry::CassandraTierOptions tier;
  tier.writer = model::WriterId{os::system_random().next() | 1U};
  tier.host = os::host_name();
  tier.only_looks = plan.only_looks;
  tier.datacenter = plan.datacenter;
  tier.collector_is_well = [&door = *guarded_collector_] {
    return std::all_of(model::all_signals.begin(), model::all_signals.end(),
                       [&](model::Signal signal) { return door.is_closed(signal); });
  };
  auto started = telemetry::CassandraTier::start(settings_.cassandra, clock_, std::move(tier));
  if (!started) return tl::unexpected(started.error());
  cassandra_ = std::move(*started);
  parking_ = std::make_unique<flow::GuardedSink>(cassandra_->foreign(), clock_, flow::BreakerOptions{}, options.random);
  flow::OverflowTier overflow;
  overflow.sink = parking_.get();
  overflow.when = flow::ParkWhen::outage;
  overflow.in_flight_max = parking_in_flight;
  router_ = std::make_unique<flow::Router>(
      *guarded_collector_, clock_, std::vector{overflow},
      flow::RouterOptions{.collector_in_flight_max = settings_.requests_in_flight, .pressure = {}});

  flow::RecoveryLane lane;
  lane.name = "recovery from Cassandra";
  lane.source = cassandra_->parked_source();
  lane.sink = guarded_collector_.get();
  lane.in_flight_max = settings_.requests_in_flight;
  lane.keeps_rejected = true;
  lane.tend = [&tier = *cassandra_](base::SteadyTime now) { return tier.tend_parked(now); };
  if (plan.single_pass) {
    lane.is_drained = [this, give_up_at = clock_.steady_now() + cassandra_patience] {
      return cassandra_->is_ready() ? cassandra_->is_drained() : clock_.steady_now() >= give_up_at;
    };
  }
  options.lanes.push_back(std::move(lane));
  return {};
}

Result<void> RecoveryParts::add_row_scan(flow::RecoveryOptions& options, const std::string& name) {
  const auto connection = telemetry::connection_settings(settings_.cassandra);
  if (!connection) return tl::unexpected(connection.error());
  auto client = cassandra::CqlClient::open(*connection);
  if (!client) return tl::unexpected(client.error());
  const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(cassandra_patience);
  if (const auto reached = (*client)->wait_connected(patience); !reached) {
    return failure(ErrorCode::unavailable, "the cluster cannot be reached: " + reached.error().message());
  }
  cql_ = std::make_unique<cassandra::ClosableCql>(std::move(*client));
  const cassandra::SchemaSettings schema = telemetry::schema_settings(settings_.cassandra);
  if (schema.apply) {  // whoever wrote the rows need not have made the table of progress
    if (const auto applied = cassandra::apply_schema(*cql_, schema, patience); !applied)
      return failure(applied.error());
  }
  cassandra::RowScannerOptions scan;
  scan.keyspace = schema.keyspace;
  scan.scan = name;
  scan.writer = model::WriterId{os::system_random().next() | 1U};
  auto scanner = cassandra::RowScanner::create(*cql_, clock_, std::move(scan));
  if (!scanner) return tl::unexpected(scanner.error());
  scanner_ = std::move(*scanner);
  flow::RecoveryLane lane;
  lane.name = "scan of rows";
  lane.source = scanner_.get();
  lane.in_flight_max = settings_.requests_in_flight;
  lane.tend = [&rows = *scanner_](base::SteadyTime now) { return rows.tend(now); };
  lane.is_drained = [&rows = *scanner_] { return rows.is_drained(); };
  options.lanes.push_back(std::move(lane));
  return {};
}

std::optional<cassandra::RowScannerStatus> RecoveryParts::scan_status() const {
  return scanner_ ? std::optional(scanner_->status()) : std::nullopt;
}

std::optional<CassandraStatus> RecoveryParts::cassandra_status() const {
  return cassandra_ ? std::optional(cassandra_->status()) : std::nullopt;
}

void RecoveryParts::tend() {
  if (cassandra_) cassandra_->tend_parked(clock_.steady_now());
}

bool RecoveryParts::has_scanned() const { return cassandra_ && cassandra_->parked_source()->status().scanned; }

std::uint64_t RecoveryParts::lost_chunk_count() const {
  return cassandra_ ? cassandra_->parked_source()->status().lost_chunk_count : 0;
}

bool RecoveryParts::missed_cassandra() const {
  return cassandra_ && (!cassandra_->is_ready() || !cassandra_->parked_source()->is_drained());
}

}  // namespace arca::cli
