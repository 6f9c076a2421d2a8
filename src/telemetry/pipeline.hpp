// Pipeline: all that one process needs to deliver what it records and to keep what it cannot deliver: its writer
// directory, pool, journal and quarantine, the ways to the Collector and to Cassandra, the live lane and the recovery
// lanes. Put together in assemble.cpp; owned by Runtime, and by the exporter for Cassandra.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <thread>

#include "arca/config.hpp"
#include "arca/status.hpp"
#include "flow/archiving_sink.hpp"
#include "flow/dispatcher.hpp"
#include "flow/guarded_sink.hpp"
#include "flow/recovery.hpp"
#include "flow/router.hpp"
#include "flow/spiller.hpp"
#include "journal/journal.hpp"
#include "journal/pool.hpp"
#include "journal/writer_directory.hpp"
#include "os/clock.hpp"
#include "sinks/collector_sink.hpp"
#include "sinks/disk_sink.hpp"
#include "telemetry/cassandra_tier.hpp"
#include "telemetry/growth.hpp"
#include "telemetry/recorder.hpp"

namespace arca::telemetry {

// Where a pipeline delivers.
enum class Destination : std::uint8_t {
  collector,  // Cassandra, if there is one, and the disk take what it cannot
  cassandra,  // there is no Collector; the disk takes what Cassandra cannot
};

// Thread-safe, but for end(), which is called once. Members die from the last to the first.
class Pipeline {
 public:
  // The parts list: assemble.cpp. Destination::cassandra requires that it is configured.
  static Result<std::unique_ptr<Pipeline>> assemble(const Settings& settings, os::Clock& clock, std::uint32_t epoch,
                                                    Destination destination = Destination::collector);
  // In a process that forked from the one that assembled it, it must not be destroyed but let go: the threads are not
  // there, and files and locks are the parent's.
  ~Pipeline();

  [[nodiscard]] const Intake& intake() const noexcept { return intake_; }
  [[nodiscard]] bool is_inherited() const noexcept;

  // Waits until all that was accepted before is delivered (to Cassandra, if that is the destination), or the deadline.
  FlushReport flush(base::SteadyTime deadline);
  // Delivers until shortly before the deadline, then makes the rest durable and stops everything. Requires: nobody
  // records any more. `last` becomes what status() would say then.
  FlushReport end(base::SteadyTime deadline, Status& last);
  [[nodiscard]] Status status() const;
  [[nodiscard]] flow::RecoveryStatus recovery_status() const;
  [[nodiscard]] flow::DispatcherCounters live_counters() const { return live->counters(); }
  [[nodiscard]] sinks::CollectorStatus collector_status() const {
    return collector ? collector->status() : sinks::CollectorStatus{};
  }
  void observe_deliveries(sinks::DeliveryObserver observer) {
    if (collector) collector->set_observer(std::move(observer));
  }
  // Seals what is committed, so that what follows cannot overtake it.
  void seal() { pool->seal_all(); }
  // About once a second: measures growth and shows the status to other processes.
  void tick();

 private:
  Pipeline(const Settings& from, os::Clock& with, Destination to) : settings(from), clock(with), destination(to) {}

  // How a lane's chunks go: through a router, and an archive around it if one is wanted.
  struct Way {
    std::unique_ptr<flow::Router> router;
    std::unique_ptr<flow::ArchivingSink> archiving;
    [[nodiscard]] model::Sink& sink() const noexcept {
      return archiving ? static_cast<model::Sink&>(*archiving) : *router;
    }
  };

  Result<void> make_stores();
  Result<void> make_ends();
  Result<void> make_cassandra();
  void make_ways();
  [[nodiscard]] Way make_way(std::vector<flow::OverflowTier> tiers, flow::GuardedSink& first,
                             std::function<double()> pressure);
  void make_lanes();
  void read_law(Status& status) const;
  [[nodiscard]] std::uint64_t kept_here() const;
  [[nodiscard]] std::uint64_t kept_items() const;
  [[nodiscard]] bool is_delivered_up_to(std::uint64_t sequence) const;
  void stop_threads();
  [[nodiscard]] model::Totals final_totals() const;
  void take_apart();

  const Settings settings;
  os::Clock& clock;
  const Destination destination;
  std::uint64_t generation_ = 0;

  std::unique_ptr<journal::WriterDirectory> directory;
  bool pool_on_tmpfs = false;
  std::unique_ptr<journal::Journal> journal;
  std::unique_ptr<journal::Journal> quarantine;
  std::unique_ptr<journal::Pool> pool;

  // Null where there is no Collector.
  std::unique_ptr<sinks::CollectorSink> collector;
  std::unique_ptr<flow::GuardedSink> guarded_collector;
  std::unique_ptr<sinks::DiskSink> disk;
  std::unique_ptr<flow::GuardedSink> guarded_disk;
  // Null where no Cassandra is configured: the tier, doors to it for our chunks, for those of dead writers and for the
  // archive, and the Collector's door for what recovery finds parked.
  std::unique_ptr<CassandraTier> cassandra;
  std::unique_ptr<flow::GuardedSink> parking;
  std::unique_ptr<flow::GuardedSink> parking_for_others;
  std::unique_ptr<flow::GuardedSink> archive;
  std::shared_ptr<flow::DeliveredChunks> delivered_chunks;
  Way live_way;
  Way journal_way;
  Way others_way;
  std::unique_ptr<flow::Dispatcher> live;
  std::unique_ptr<flow::Spiller> spiller;

  std::unique_ptr<flow::Writers> writers;
  std::unique_ptr<flow::Recovery> recovery;
  Intake intake_;
  Growth growth;

  std::jthread live_thread;
  std::jthread recovery_thread;
};

// The law, read from the parts. `pool` and `journal` are of one writer.
void read_law(const journal::Pool& pool, const journal::Journal& journal, Status& status);
// What has become of parked items counts as what it is.
void take_from_parked(const ParkedItems& items, std::size_t signal, std::uint64_t& parked, std::uint64_t& delivered,
                      std::uint64_t& quarantined, std::uint64_t& lost) noexcept;
void count_replayed(const ParkedItems& items, Status& status);

}  // namespace arca::telemetry
