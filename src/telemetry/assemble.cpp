// The parts list: how the machine of one process is put together. Read Pipeline::assemble from top to bottom.
#include <fmt/format.h>

#include <algorithm>

#include "flow/writer_files.hpp"
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

void report(const Error& error) { os::log(os::LogLevel::warn, "{}", error.message()); }

flow::Random jitter() {
  return [] { return static_cast<double>(os::system_random().next() >> 11U) * 0x1.0p-53; };
}

// For those who leave recovery to others: only the process's own journal is delivered.
class NoWriters final : public flow::Writers {
 public:
  Result<std::vector<journal::WriterEntry>> list() override { return std::vector<journal::WriterEntry>(); }
  Result<std::unique_ptr<flow::DeadWriter>> adopt(model::WriterId id) override {
    return failure(ErrorCode::not_found, "no writer " + model::to_string(id));
  }
};

Result<std::unique_ptr<journal::Pool>> make_pool(const Settings& settings, journal::WriterDirectory& directory,
                                                 os::Clock& clock, bool& on_tmpfs) {
  journal::PoolOptions options;
  options.writer = directory.id();
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
  options.segment_size = std::min<std::uint64_t>(options.segment_size, std::max<std::uint64_t>(size_max / 4, 1U << 18U));
  options.durability =
      settings.durable_over_power_loss ? journal::Durability::power : journal::Durability::process;
  return journal::Journal::open(os::posix_file_system(), clock, options);
}

std::uint64_t journal_size(const Settings& settings) {
  if (settings.journal_size != 0) return settings.journal_size;
  const auto free = os::posix_file_system().free_bytes(settings.state_directory);
  if (!free) return journal_size_default;
  return std::max(journal_size_least, std::min(journal_size_default, *free / 10));
}

}  // namespace

Result<std::unique_ptr<Pipeline>> Pipeline::assemble(const Settings& settings, os::Clock& clock, std::uint32_t epoch) {
  std::unique_ptr<Pipeline> all(new Pipeline(settings, clock));
  Pipeline& it = *all;
  it.generation_ = os::fork_generation();

  // What keeps: the writer's directory with its lock, the journal, the quarantine, the pool.
  auto directory = journal::WriterDirectory::create(settings.state_directory);
  if (!directory) return failure(directory.error().with_context("state_directory"));
  it.directory = std::move(*directory);
  const model::WriterId writer = it.directory->id();
  auto journal = make_journal(settings, it.directory->journal_path(), writer, journal_size(settings), clock);
  if (!journal) return failure(journal.error().with_context("journal"));
  it.journal = std::move(*journal);
  const std::string quarantine_path = settings.state_directory + "/quarantine/" + model::to_string(writer);
  auto quarantine = make_journal(settings, quarantine_path, writer, settings.quarantine_size, clock);
  if (!quarantine) return failure(quarantine.error().with_context("quarantine"));
  it.quarantine = std::move(*quarantine);
  auto pool = make_pool(settings, *it.directory, clock, it.pool_on_tmpfs);
  if (!pool) return failure(pool.error().with_context("pool"));
  it.pool = std::move(*pool);

  // What delivers: the Collector behind its quarantine and breaker; the disk behind its breaker; the router over both.
  auto collector = make_collector(settings, clock);
  if (!collector) return tl::unexpected(collector.error());
  it.collector = std::move(*collector);
  it.quarantining = std::make_unique<sinks::QuarantiningSink>(*it.collector, *it.quarantine);
  it.guarded_collector =
      std::make_unique<flow::GuardedSink>(*it.quarantining, clock, flow::BreakerOptions{}, jitter());
  it.disk = std::make_unique<sinks::DiskSink>(*it.journal);
  it.guarded_disk = std::make_unique<flow::GuardedSink>(*it.disk, clock, flow::BreakerOptions{}, jitter());
  flow::OverflowTier tier;
  tier.sink = it.guarded_disk.get();
  tier.when = flow::ParkWhen::pressure;
  tier.holds_metrics = [&journal = *it.journal] { return journal.holds(Signal::metrics); };
  it.router = std::make_unique<flow::Router>(
      *it.guarded_collector, clock, std::vector{tier},
      flow::RouterOptions{.collector_in_flight_max = settings.requests_in_flight,
                          .high_water_mark = settings.high_water,
                          .pressure = [&pool = *it.pool] { return pool.fill(); }});

  // The live lane: from the pool through the router.
  flow::DispatcherOptions live;
  live.name = "live";
  live.in_flight_max = 2 * settings.requests_in_flight + 2;
  live.random = jitter();
  live.report = report;
  it.live = std::make_unique<flow::Dispatcher>(*it.pool, *it.router, clock, std::move(live));

  // What happens when the pool is full: its oldest chunks go to the journal, or policy speaks.
  const auto append = [&journal = *it.journal](const model::Chunk& chunk) { return journal.append(chunk); };
  flow::SpillerOptions spill;
  spill.policy = settings.when_full == WhenFull::block ? flow::FullPolicy::block : flow::FullPolicy::refuse;
  spill.block_max = settings.block_timeout;
  spill.report = report;
  it.spiller = std::make_unique<flow::Spiller>(*it.pool, append, it.live->progress(), clock, std::move(spill));
  it.pool->set_room_maker([&spiller = *it.spiller] { return spiller.make_room(); });

  // The recovery lane: our own journal, and what dead writers of this state directory left, to the Collector.
  flow::RecoveryOptions recovery;
  recovery.limits = {.bytes_per_second = settings.recovery_bytes_per_second};
  recovery.scan_interval = settings.recovery_scan_interval;
  recovery.yields = [&pool = *it.pool, high = settings.high_water] { return pool.fill() >= high; };
  recovery.random = jitter();
  recovery.report = report;
  recovery.stop_grace = std::chrono::milliseconds(50);
  if (settings.recovery) {
    it.writers = std::make_unique<flow::WriterFiles>(settings.state_directory, os::posix_file_system(), clock);
  } else {
    it.writers = std::make_unique<NoWriters>();
  }
  it.recovery = std::make_unique<flow::Recovery>(*it.writers, it.journal.get(), *it.guarded_collector, clock,
                                                 std::move(recovery));

  // Who records hands over here.
  it.intake_ = {.pool = it.pool.get(), .clock = &clock, .epoch = epoch, .append_direct = append};

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
