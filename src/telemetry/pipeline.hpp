// Pipeline: all that one process needs to deliver what it records and to keep what it cannot deliver: its writer
// directory, pool, journal and quarantine, the way to the Collector, the live lane and the recovery lane. Put together
// in assemble.cpp; owned by Runtime.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <thread>

#include "arca/config.hpp"
#include "arca/status.hpp"
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
#include "sinks/quarantining_sink.hpp"
#include "telemetry/growth.hpp"
#include "telemetry/recorder.hpp"

namespace arca::telemetry {

// Thread-safe, but for end(), which is called once. Members die from the last to the first.
class Pipeline {
 public:
  // The parts list: assemble.cpp.
  static Result<std::unique_ptr<Pipeline>> assemble(const Settings& settings, os::Clock& clock, std::uint32_t epoch);
  // In a process that forked from the one that assembled it, it must not be destroyed but let go: the threads are not
  // there, and files and locks are the parent's.
  ~Pipeline();

  [[nodiscard]] const Intake& intake() const noexcept { return intake_; }
  [[nodiscard]] bool is_inherited() const noexcept;

  // Waits until all that was accepted before is delivered, or the deadline.
  FlushReport flush(base::SteadyTime deadline);
  // Delivers until shortly before the deadline, then makes the rest durable and stops everything. Requires: nobody
  // records any more.
  FlushReport end(base::SteadyTime deadline);
  [[nodiscard]] Status status() const;
  [[nodiscard]] flow::RecoveryStatus recovery_status() const;
  [[nodiscard]] flow::DispatcherCounters live_counters() const { return live->counters(); }
  [[nodiscard]] sinks::CollectorStatus collector_status() const { return collector->status(); }
  void observe_deliveries(sinks::DeliveryObserver observer) { collector->set_observer(std::move(observer)); }
  // Seals what is committed, so that what follows cannot overtake it.
  void seal() { pool->seal_all(); }
  // About once a second: measures growth and shows the status to other processes.
  void tick();

 private:
  Pipeline(const Settings& from, os::Clock& with) : settings(from), clock(with) {}

  Result<void> make_stores();
  Result<void> make_lanes();
  [[nodiscard]] std::uint64_t kept_items() const;
  [[nodiscard]] bool is_delivered_up_to(std::uint64_t sequence) const;
  void stop_threads();

  const Settings settings;
  os::Clock& clock;
  std::uint64_t generation_ = 0;

  std::unique_ptr<journal::WriterDirectory> directory;
  bool pool_on_tmpfs = false;
  std::unique_ptr<journal::Journal> journal;
  std::unique_ptr<journal::Journal> quarantine;
  std::unique_ptr<journal::Pool> pool;

  std::unique_ptr<sinks::CollectorSink> collector;
  std::unique_ptr<sinks::QuarantiningSink> quarantining;
  std::unique_ptr<flow::GuardedSink> guarded_collector;
  std::unique_ptr<sinks::DiskSink> disk;
  std::unique_ptr<flow::GuardedSink> guarded_disk;
  std::unique_ptr<flow::Router> router;
  std::unique_ptr<flow::Dispatcher> live;
  std::unique_ptr<flow::Spiller> spiller;

  std::unique_ptr<flow::Writers> writers;
  std::unique_ptr<flow::Recovery> recovery;
  Intake intake_;
  Growth growth;

  std::jthread live_thread;
  std::jthread recovery_thread;
};

// The law and everything beside it, read from the parts. `pool` and `journal` are of one writer.
void read_law(const journal::Pool& pool, const journal::Journal& journal, Status& status);

}  // namespace arca::telemetry
