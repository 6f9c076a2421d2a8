// The parts list: how the machine of one process is put together. Read from Pipeline::make_stores to the end: what
// keeps, what delivers, and all of it.
#include <fmt/format.h>

#include <algorithm>

#include "flow/no_writers.hpp"
#include "flow/writer_files.hpp"
#include "journal/quarantine.hpp"
#include "os/environment.hpp"
#include "os/file_system.hpp"
#include "os/fork.hpp"
#include "os/log.hpp"
#include "os/random.hpp"
#include "os/thread.hpp"
#include "telemetry/collector.hpp"
#include "telemetry/pipeline.hpp"

namespace arca::telemetry {
namespace {

using model::Signal;

constexpr std::uint64_t journal_size_default = 4ULL << 30U;
constexpr std::uint64_t journal_size_least = 1ULL << 20U;
constexpr std::uint32_t parking_in_flight = 32;  // chunks on their way to Cassandra

void report(const Error& error) { os::log(os::LogLevel::warn, "{}", error.message()); }

flow::Random jitter() {
  return [] { return static_cast<double>(os::system_random().next() >> 11U) * 0x1.0p-53; };
}

Result<std::unique_ptr<journal::Pool>> make_pool(const Settings& settings, journal::WriterDirectory& directory,
                                                 os::Clock& clock, bool& on_tmpfs) {
  journal::PoolOptions options;
  options.writer = directory.id();
  options.damaged_directory = directory.journal_path() + "/damaged";
  options.size_max = settings.pool_size;
  options.size_initial = std::min(options.size_initial, settings.pool_size);
  options.schedule_delay = settings.schedule_delay;
  // What tmpfs promises now, another process may take a moment later: then the pool goes to the disk.
  Result<std::unique_ptr<journal::Pool>> pool = failure(ErrorCode::internal, "no place");
  for (const std::string& preferred : {settings.pool_directory, directory.path()}) {
    const auto place = journal::choose_pool_place(directory, settings.pool_size, preferred);
    if (!place) return tl::unexpected(place.error());
    if (!place->reason.empty()) os::log(os::LogLevel::info, "the pool is at {}: {}", place->path, place->reason);
    options.path = place->path;
    on_tmpfs = place->on_tmpfs;
    pool = journal::Pool::create(options, clock);
    if (pool || !on_tmpfs) break;
  }
  return pool;
}

Result<std::unique_ptr<journal::Journal>> make_journal(const Settings& settings, const std::string& path,
                                                       model::WriterId writer, std::uint64_t size_max,
                                                       os::Clock& clock) {
  journal::JournalOptions options;
  options.directory = path;
  options.writer = writer;
  options.size_max = size_max;
  options.segment_size =
      std::min<std::uint64_t>(options.segment_size, std::max<std::uint64_t>(size_max / 4, 1U << 18U));
  // Behind the records a segment holds room for their settlements.
  options.segment_size = std::min(options.segment_size, os::file_size_limit() / 4 * 3);
  options.durability = settings.durable_over_power_loss ? journal::Durability::power : journal::Durability::process;
  return journal::Journal::open(os::posix_file_system(), clock, options);
}

std::uint64_t journal_size(const Settings& settings) {
  if (settings.journal_size != 0) return settings.journal_size;
  const auto free = os::posix_file_system().free_bytes(settings.state_directory);
  if (!free) return journal_size_default;
  return std::max(journal_size_least, std::min(journal_size_default, *free / 10));
}

auto append_to(journal::Journal& journal) {
  return [&journal](const model::Chunk& chunk) { return journal.append(chunk); };
}
auto keep_in(journal::Journal& quarantine) {
  return [&quarantine](const model::Chunk& chunk, const model::Ack&) {
    return journal::keep_in_quarantine(quarantine, chunk);
  };
}

}  // namespace

// What keeps: the writer's directory with its lock, the journal, the quarantine, the pool.
Result<void> Pipeline::make_stores() {
  auto new_directory = journal::WriterDirectory::create(settings.state_directory);
  if (!new_directory) return failure(new_directory.error().with_context("state_directory"));
  directory = std::move(*new_directory);

  const model::WriterId writer = directory->id();
  auto new_journal = make_journal(settings, directory->journal_path(), writer, journal_size(settings), clock);
  if (!new_journal) return failure(new_journal.error().with_context("journal"));
  journal = std::move(*new_journal);

  const std::string quarantine_path = settings.state_directory + "/quarantine/" + model::to_string(writer);
  auto new_quarantine = make_journal(settings, quarantine_path, writer, settings.quarantine_size, clock);
  if (!new_quarantine) return failure(new_quarantine.error().with_context("quarantine"));
  quarantine = std::move(*new_quarantine);

  auto new_pool = make_pool(settings, *directory, clock, pool_on_tmpfs);
  if (!new_pool) return failure(new_pool.error().with_context("pool"));
  pool = std::move(*new_pool);
  return {};
}

// Where chunks can go: the Collector behind its breaker, the disk behind its breaker, Cassandra.
Result<void> Pipeline::make_ends() {
  if (destination == Destination::collector) {
    auto new_collector = make_collector(settings, clock);
    if (!new_collector) return tl::unexpected(new_collector.error());
    collector = std::move(*new_collector);
    guarded_collector = std::make_unique<flow::GuardedSink>(*collector, clock, flow::BreakerOptions{}, jitter());
  }
  disk = std::make_unique<sinks::DiskSink>(*journal);
  guarded_disk = std::make_unique<flow::GuardedSink>(*disk, clock, flow::BreakerOptions{}, jitter());
  return settings.cassandra.is_configured() ? make_cassandra() : Result<void>();
}

// The tier, with doors that share what is known of the cluster.
Result<void> Pipeline::make_cassandra() {
  CassandraTierOptions options;
  options.writer = directory->id();
  options.host = os::host_name();
  if (collector) {
    options.archives = settings.cassandra.store_all;
    options.recovers = settings.cassandra.recovery;
    options.collector_is_well = [&door = *guarded_collector] {
      return std::all_of(model::all_signals.begin(), model::all_signals.end(),
                         [&](Signal signal) { return door.is_closed(signal); });
    };
  } else {
    options.recovers = false;
  }
  auto tier = CassandraTier::start(settings.cassandra, clock, std::move(options));
  if (!tier) return tl::unexpected(tier.error());
  cassandra = std::move(*tier);
  parking = std::make_unique<flow::GuardedSink>(cassandra->own(), clock, flow::BreakerOptions{}, jitter());
  parking_for_others = std::make_unique<flow::GuardedSink>(cassandra->foreign(), *parking);
  if (cassandra->archive() != nullptr) {
    archive = std::make_unique<flow::GuardedSink>(*cassandra->archive(), *parking);
    delivered_chunks = std::make_shared<flow::DeliveredChunks>();
  }
  return {};
}

Pipeline::Way Pipeline::make_way(std::vector<flow::OverflowTier> tiers, flow::GuardedSink& first,
                                 std::function<double()> pressure) {
  Way way;
  way.router = std::make_unique<flow::Router>(
      first, clock, std::move(tiers),
      flow::RouterOptions{.collector_in_flight_max = collector ? settings.requests_in_flight : parking_in_flight,
                          .high_water_mark = settings.high_water,
                          .busy_mark = (1 + settings.high_water) / 2,
                          .pressure = std::move(pressure)});
  if (archive) {
    // Half of where recovery yields and parking begins: an archive that is away must not bring us there.
    flow::ArchivingOptions options;
    options.room_is_short = [&filling = *pool, &kept = *journal, mark = settings.high_water / 2] {
      return filling.fill() >= mark || static_cast<double>(kept.size()) >= mark * static_cast<double>(kept.size_max());
    };
    way.archiving = std::make_unique<flow::ArchivingSink>(*way.router, *archive, delivered_chunks, clock, options);
  }
  return way;
}

// The ways there: of what is recorded now, of the journal, and of what dead writers left.
void Pipeline::make_ways() {
  flow::OverflowTier to_disk;
  to_disk.sink = guarded_disk.get();
  to_disk.when = flow::ParkWhen::pressure;
  to_disk.holds_metrics = [&held = *journal] { return held.holds(Signal::metrics); };
  flow::OverflowTier to_cassandra;
  to_cassandra.sink = parking.get();
  to_cassandra.when = flow::ParkWhen::outage;
  to_cassandra.in_flight_max = parking_in_flight;
  flow::OverflowTier others_to_cassandra = to_cassandra;
  others_to_cassandra.sink = parking_for_others.get();
  if (cassandra) to_cassandra.holds_metrics = [&held = *cassandra] { return held.holds_metrics(); };
  const auto pressure = [&filling = *pool] { return filling.fill(); };

  if (!collector) {
    live_way = make_way({to_disk}, *parking, pressure);
    journal_way = make_way({}, *parking, {});
    others_way = make_way({}, *parking_for_others, {});
  } else if (cassandra) {
    live_way = make_way({to_cassandra, to_disk}, *guarded_collector, pressure);
    journal_way = make_way({to_cassandra}, *guarded_collector, {});
    others_way = make_way({others_to_cassandra}, *guarded_collector, {});
  } else {
    live_way = make_way({to_disk}, *guarded_collector, pressure);
    journal_way = make_way({}, *guarded_collector, {});
    others_way = make_way({}, *guarded_collector, {});
  }
}

// What moves chunks along them.
void Pipeline::make_lanes() {
  // The live lane: from the pool.
  flow::DispatcherOptions live_options;
  live_options.name = "live";
  live_options.in_flight_max = 2 * settings.requests_in_flight + 2 + (cassandra ? parking_in_flight : 0);
  live_options.keep_rejected = keep_in(*quarantine);
  live_options.random = jitter();
  live_options.report = report;
  live = std::make_unique<flow::Dispatcher>(*pool, live_way.sink(), clock, std::move(live_options));

  // What happens when the pool is full: its oldest chunks go to the journal.
  flow::SpillerOptions spill;
  spill.report = report;
  spiller = std::make_unique<flow::Spiller>(*pool, append_to(*journal), live->progress(), clock, std::move(spill));
  pool->set_freed_hook([bell = live->progress()] { bell->ring(); });
  pool->set_room_maker([&maker = *spiller] { return maker.make_room(); });

  // The recovery lanes: our own journal, what lies in Cassandra, and what dead writers of this state directory left.
  flow::RecoveryOptions options;
  options.limits = {.bytes_per_second = settings.recovery_bytes_per_second};
  options.scan_interval = settings.recovery_scan_interval;
  options.yields = [&filling = *pool, high = settings.high_water] { return filling.fill() >= high; };
  options.keep_rejected = keep_in(*quarantine);
  options.progress = live->progress();  // what it delivers from the journal is room for who waits
  options.random = jitter();
  options.report = report;
  options.stop_grace = std::chrono::milliseconds(50);
  options.lanes.push_back(
      {.name = "recovery of the own journal", .source = journal.get(), .sink = &journal_way.sink()});
  if (cassandra && cassandra->parked_source() != nullptr) {
    options.lanes.push_back({.name = "recovery from Cassandra",
                             .source = cassandra->parked_source(),
                             .sink = guarded_collector.get(),
                             .in_flight_max = settings.requests_in_flight,
                             .keeps_rejected = true,
                             .tend = [&tier = *cassandra](base::SteadyTime now) { return tier.tend_parked(now); }});
  }
  if (settings.recovery) {
    writers = std::make_unique<flow::WriterFiles>(settings.state_directory, os::posix_file_system(), clock);
  } else {
    writers = std::make_unique<flow::NoWriters>();
  }
  recovery = std::make_unique<flow::Recovery>(*writers, nullptr, others_way.sink(), clock, std::move(options));
}

Result<std::unique_ptr<Pipeline>> Pipeline::assemble(const Settings& settings, os::Clock& clock, std::uint32_t epoch,
                                                     Destination destination) {
  std::unique_ptr<Pipeline> all(new Pipeline(settings, clock, destination));
  Pipeline& it = *all;
  it.generation_ = os::fork_generation();
  if (const auto made = it.make_stores(); !made) return tl::unexpected(made.error());
  if (const auto made = it.make_ends(); !made) return tl::unexpected(made.error());
  it.make_ways();
  it.make_lanes();

  // Who records hands over here.
  it.intake_ = {.pool = it.pool.get(),
                .clock = &clock,
                .epoch = epoch,
                .append_direct = append_to(*it.journal),
                .direct_size_max = it.journal->size_max(),
                .block_max = settings.when_full == WhenFull::block ? settings.block_timeout : base::Duration(0),
                .progress = it.live->progress()};

  // And the threads, last.
  auto live_thread = os::start_thread("arca-live", [&lane = *it.live](const std::stop_token& stop) { lane.run(stop); });
  if (!live_thread) return tl::unexpected(live_thread.error());
  it.live_thread = std::move(*live_thread);
  auto recovery_thread =
      os::start_thread("arca-recovery", [&lane = *it.recovery](const std::stop_token& stop) { lane.run(stop); });
  if (!recovery_thread) return tl::unexpected(recovery_thread.error());
  it.recovery_thread = std::move(*recovery_thread);
  return all;
}

}  // namespace arca::telemetry
