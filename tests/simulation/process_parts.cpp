// The parts list of a simulated process. Compare telemetry/assemble.cpp.
#include <utility>

#include "journal/quarantine.hpp"
#include "simulation/process.hpp"

namespace arca::simulation {

namespace {
Safety safety_of(journal::Durability durability) {
  return durability == journal::Durability::power ? Safety::disk : Safety::memory;
}
}  // namespace

Result<void> Process::assemble() {
  if (auto made = make_stores(); !made) return made;
  make_ends();
  make_ways();
  make_lanes();
  intake_ = {.pool = pool_.get(),
             .clock = &host_.clock,
             .epoch = 1,
             .append_direct = [this](const model::Chunk& chunk) { return append(chunk); },
             .direct_size_max = journal_->size_max(),
             .block_max = {},
             .progress = live_->progress()};
  recorder_.open(&intake_, {});
  return {};
}

journal::JournalOptions Process::journal_options(const std::string& path, std::uint64_t size) const {
  journal::JournalOptions options;
  options.directory = path;
  options.writer = writer_;
  options.size_max = size;
  options.segment_size = std::max<std::uint64_t>(size / 16, 1U << 18U);
  options.durability = options_.durability;
  options.sync_interval = {};  // no thread: sync_lane_
  return options;
}

Result<void> Process::make_stores() {
  Host::Writer& entry = host_.writers[writer_];
  entry = {.pool_path = host_.pool_path(writer_), .owner = life_};
  auto made =
      journal::Journal::open(disk_, host_.clock, journal_options(Host::journal_path(writer_), options_.journal_size));
  if (!made) return tl::unexpected(made.error());
  journal_ = std::move(*made);
  made = journal::Journal::open(disk_, host_.clock,
                                journal_options(Host::quarantine_path(writer_), options_.journal_size));
  if (!made) return tl::unexpected(made.error());
  quarantine_ = std::move(*made);
  journal::PoolOptions options;
  options.writer = writer_;
  options.path = entry.pool_path;
  options.size_max = options_.pool_size;
  options.size_initial = options_.pool_size;
  auto pool = journal::Pool::create(options, host_.clock);
  if (!pool) return tl::unexpected(pool.error());
  pool_ = std::move(*pool);
  return {};
}

void Process::make_ends() {
  sinks::CollectorSinkOptions options;
  for (const model::Signal signal : model::all_signals) {
    options.routes[model::index_of(signal)] = {.transport = surroundings_.collector.connect(signal, life_),
                                               .read_answer = sinks::answer_reader(net::Protocol::grpc)};
  }
  options.split = sinks::request_splitter();
  options.in_flight_max = options_.requests_in_flight;
  collector_ = std::make_unique<sinks::CollectorSink>(std::move(options), host_.clock);
  guarded_collector_ = std::make_unique<flow::GuardedSink>(*collector_, host_.clock, flow::BreakerOptions{}, jitter());
  disk_sink_ = std::make_unique<sinks::DiskSink>(*journal_);
  watched_disk_ = std::make_unique<WatchedSink>(*disk_sink_, surroundings_.world, surroundings_.oracle,
                                                safety_of(options_.durability));
  guarded_disk_ = std::make_unique<flow::GuardedSink>(*watched_disk_, host_.clock, flow::BreakerOptions{}, jitter());
  if (!options_.uses_cassandra) return;

  cassandra::CassandraSinkOptions parking;
  parking.writer = writer_;
  parking.host = "host" + std::to_string(host_.number());
  const auto make_sink = [&] {
    return std::make_unique<cassandra::CassandraSink>(store_, nullptr, host_.clock, dice_, parking);
  };
  own_ = make_sink();
  foreign_ = make_sink();
  watched_own_ = std::make_unique<WatchedSink>(*own_, surroundings_.world, surroundings_.oracle, Safety::cluster);
  watched_foreign_ =
      std::make_unique<WatchedSink>(*foreign_, surroundings_.world, surroundings_.oracle, Safety::cluster);
  parking_ = std::make_unique<flow::GuardedSink>(*watched_own_, host_.clock, flow::BreakerOptions{}, jitter());
  parking_for_others_ = std::make_unique<flow::GuardedSink>(*watched_foreign_, *parking_);
  if (options_.recovers) {
    parked_ = std::make_unique<cassandra::ParkedSource>(store_, nullptr, host_.clock, dice_,
                                                        cassandra::ParkedSourceOptions{});
  }
}

void Process::make_ways() {
  constexpr double high_water = 0.5;
  constexpr std::uint32_t parking_in_flight = 32;
  flow::OverflowTier to_disk;
  to_disk.sink = guarded_disk_.get();
  to_disk.when = flow::ParkWhen::pressure;
  to_disk.holds_metrics = [this] { return journal_->holds(model::Signal::metrics); };
  flow::OverflowTier to_cassandra;
  to_cassandra.sink = parking_.get();
  to_cassandra.when = flow::ParkWhen::outage;
  to_cassandra.in_flight_max = parking_in_flight;
  flow::OverflowTier others_to_cassandra = to_cassandra;
  others_to_cassandra.sink = parking_for_others_.get();
  to_cassandra.holds_metrics = [this] { return own_->holds_metrics(); };

  const auto way = [&](std::vector<flow::OverflowTier> tiers, std::function<double()> pressure) {
    return std::make_unique<flow::Router>(*guarded_collector_, host_.clock, std::move(tiers),
                                          flow::RouterOptions{.collector_in_flight_max = options_.requests_in_flight,
                                                              .high_water_mark = high_water,
                                                              .busy_mark = (1 + high_water) / 2,
                                                              .pressure = std::move(pressure)});
  };
  const auto pressure = [this] { return pool_->fill(); };
  using Tiers = std::vector<flow::OverflowTier>;
  live_way_ = way(own_ ? Tiers{to_cassandra, to_disk} : Tiers{to_disk}, pressure);
  journal_way_ = way(own_ ? Tiers{to_cassandra} : Tiers{}, {});
  others_way_ = way(own_ ? Tiers{others_to_cassandra} : Tiers{}, {});
}

void Process::make_lanes() {
  constexpr std::uint32_t parking_in_flight = 32;
  flow::DispatcherOptions live;
  live.name = "live";
  live.in_flight_max = 2 * options_.requests_in_flight + 2 + (own_ ? parking_in_flight : 0);
  const auto keep_rejected = [this](const model::Chunk& chunk, const model::Ack&) {
    return journal::keep_in_quarantine(*quarantine_, chunk);
  };
  live.keep_rejected = keep_rejected;
  live.random = jitter();
  live.wake_up = live_lane_.bell;
  live_ = std::make_unique<flow::Dispatcher>(*pool_, *live_way_, host_.clock, std::move(live));
  spiller_ = std::make_unique<flow::Spiller>(
      *pool_, [this](const model::Chunk& chunk) { return append(chunk); }, live_->progress(), host_.clock,
      flow::SpillerOptions{});
  pool_->set_freed_hook([bell = live_->progress()] { bell->ring(); });
  pool_->set_room_maker([this] { return spiller_->make_room(); });

  flow::RecoveryOptions options;
  options.yields = [this] { return pool_->fill() >= 0.5; };
  options.keep_rejected = keep_rejected;
  options.progress = live_->progress();
  options.random = jitter();
  options.wake_up = recovery_lane_.bell;
  options.lanes.push_back({.name = "own journal", .source = journal_.get(), .sink = journal_way_.get()});
  if (parked_) {
    options.lanes.push_back({.name = "Cassandra",
                             .source = parked_.get(),
                             .sink = guarded_collector_.get(),
                             .in_flight_max = options_.requests_in_flight,
                             .keeps_rejected = true,
                             .tend = [this](base::SteadyTime now) { return parked_->tend(now); }});
  }
  others_ = std::make_unique<HostWriters>(host_, disk_, life_, surroundings_.oracle);
  recovery_ = std::make_unique<flow::Recovery>(*others_, nullptr, *others_way_, host_.clock, std::move(options));
}

Result<void> Process::append(const model::Chunk& chunk) {
  auto appended = journal_->append(chunk);
  surroundings_.world.note("{} spills chunk {}: {}", options_.name, model::to_string(chunk.id),
                           appended ? "kept" : appended.error().message());
  if (appended && !life_->is_dead())
    surroundings_.oracle.kept(records_in(chunk.payload.flatten()), safety_of(options_.durability));
  return appended;
}

}  // namespace arca::simulation
