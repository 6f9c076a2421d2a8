#include "cli/recovery_parts.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "cassandra/parked_source.hpp"
#include "flow/no_writers.hpp"
#include "flow/writer_files.hpp"
#include "os/environment.hpp"
#include "os/file_system.hpp"
#include "os/random.hpp"
#include "telemetry/collector.hpp"

namespace arca::cli {

namespace {
constexpr base::Duration cassandra_patience = std::chrono::seconds(30);  // of a single pass, for a connection
constexpr base::Duration end_time = std::chrono::seconds(5);
constexpr std::uint32_t parking_in_flight = 8;
}  // namespace

RecoveryParts::RecoveryParts(const Settings& settings, os::Clock& clock)
    : settings_(settings),
      clock_(clock),
      quarantine_(settings.state_directory, settings.quarantine_size, os::posix_file_system(), clock) {}

RecoveryParts::~RecoveryParts() {
  recovery_.reset();
  if (cassandra_) cassandra_->end(clock_.steady_now() + end_time);
}

Result<std::unique_ptr<RecoveryParts>> RecoveryParts::make(const Settings& settings, os::Clock& clock,
                                                           bool single_pass) {
  std::unique_ptr<RecoveryParts> all(new RecoveryParts(settings, clock));
  RecoveryParts& it = *all;
  auto collector = telemetry::make_collector(settings, clock);
  if (!collector) return tl::unexpected(collector.error());
  it.collector_ = std::move(*collector);
  const flow::Random random = flow::uniform(os::system_random());
  it.guarded_collector_ = std::make_unique<flow::GuardedSink>(*it.collector_, clock, flow::BreakerOptions{}, random);
  os::FileSystem& files = os::posix_file_system();
  if (files.exists(settings.state_directory)) {
    it.writers_ = std::make_unique<flow::WriterFiles>(settings.state_directory, files, clock);
  } else {
    it.writers_ = std::make_unique<flow::NoWriters>();
  }

  flow::RecoveryOptions options;
  options.limits = {.bytes_per_second = settings.recovery_bytes_per_second};
  options.scan_interval = settings.recovery_scan_interval;
  if (single_pass) options.start_jitter = base::Duration::zero();
  options.random = random;
  options.keep_rejected = [&kept = it.quarantine_](const model::Chunk& chunk, const model::Ack&) {
    return kept.keep(chunk);
  };
  if (settings.cassandra.is_configured()) {
    if (const auto added = it.add_cassandra(options, single_pass); !added) return tl::unexpected(added.error());
  }
  model::Sink& sink = it.router_ ? static_cast<model::Sink&>(*it.router_) : *it.guarded_collector_;
  it.recovery_ = std::make_unique<flow::Recovery>(*it.writers_, nullptr, sink, clock, std::move(options));
  return all;
}

// What is parked is one lane more; what dead writers left is parked, too, while the Collector is away.
Result<void> RecoveryParts::add_cassandra(flow::RecoveryOptions& options, bool single_pass) {
  telemetry::CassandraTierOptions tier;
  tier.writer = model::WriterId{os::system_random().next() | 1U};
  tier.host = os::host_name();
  tier.collector_is_well = [&door = *guarded_collector_] {
    return std::all_of(model::all_signals.begin(), model::all_signals.end(),
                       [&](model::Signal signal) { return door.is_closed(signal); });
  };
  auto started = telemetry::CassandraTier::start(settings_.cassandra, clock_, std::move(tier));
  if (!started) return tl::unexpected(started.error());
  cassandra_ = std::move(*started);
  parking_ = std::make_unique<flow::GuardedSink>(cassandra_->foreign(), clock_, flow::BreakerOptions{}, options.random);
  collector_for_parked_ = std::make_unique<flow::GuardedSink>(*collector_, *guarded_collector_);
  flow::OverflowTier overflow;
  overflow.sink = parking_.get();
  overflow.when = flow::ParkWhen::outage;
  overflow.in_flight_max = parking_in_flight;
  router_ = std::make_unique<flow::Router>(
      *guarded_collector_, clock_, std::vector{overflow},
      flow::RouterOptions{.collector_in_flight_max = settings_.requests_in_flight, .pressure = {}});

  cassandra::ParkedSource& parked = *cassandra_->parked_source();
  flow::RecoveryLane lane;
  lane.name = "recovery from Cassandra";
  lane.source = &parked;
  lane.sink = collector_for_parked_.get();
  lane.in_flight_max = settings_.requests_in_flight;
  lane.keeps_rejected = true;
  lane.tend = [&parked](base::SteadyTime now) { return parked.tend(now); };
  if (single_pass) {
    lane.is_drained = [this, &parked, give_up_at = clock_.steady_now() + cassandra_patience] {
      return cassandra_->is_ready() ? parked.is_drained() : clock_.steady_now() >= give_up_at;
    };
  }
  options.lanes.push_back(std::move(lane));
  return {};
}

std::optional<CassandraStatus> RecoveryParts::cassandra_status() const {
  return cassandra_ ? std::optional(cassandra_->status()) : std::nullopt;
}

void RecoveryParts::tend() {
  if (cassandra_ && cassandra_->is_ready()) cassandra_->parked_source()->tend(clock_.steady_now());
}

bool RecoveryParts::has_scanned() const { return cassandra_ && cassandra_->parked_source()->status().scanned; }

bool RecoveryParts::missed_cassandra() const {
  return cassandra_ && (!cassandra_->is_ready() || !cassandra_->parked_source()->is_drained());
}

}  // namespace arca::cli
