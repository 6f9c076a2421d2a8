// Process: an instrumented application as its parts: the real pool, journal, quarantine, breakers, router, dispatcher,
// spiller, recovery and the real tier of Cassandra, put together as telemetry/assemble.cpp does, but stepped from
// outside, one thread's turn at a time.
#pragma once

#include <memory>
#include <string>

#include "cassandra/cassandra_sink.hpp"
#include "cassandra/parked_source.hpp"
#include "flow/dispatcher.hpp"
#include "flow/recovery.hpp"
#include "flow/router.hpp"
#include "flow/spiller.hpp"
#include "journal/journal.hpp"
#include "journal/pool.hpp"
#include "simulation/collector.hpp"
#include "simulation/host.hpp"
#include "simulation/process_store.hpp"
#include "simulation/watched_sink.hpp"
#include "sinks/collector_sink.hpp"
#include "sinks/disk_sink.hpp"
#include "telemetry/recorder.hpp"

namespace arca::simulation {

struct ProcessOptions {
  std::string name;
  bool uses_cassandra = false;
  bool recovers = true;  // what others left; its own journal always
  journal::Durability durability = journal::Durability::process;
  std::uint64_t pool_size = 2ULL << 20U;
  std::uint64_t journal_size = 64ULL << 20U;
  std::uint32_t requests_in_flight = 4;
};

class Process {
 public:
  // What it lives in.
  struct Surroundings {
    World& world;
    Oracle& oracle;
    Collector& collector;
    Cluster& cluster;
  };
  // Null, with the reason in the story, if it cannot start: its disk fails, or it died while it did.
  static std::unique_ptr<Process> start(Host& host, const Surroundings& surroundings, const ProcessOptions& options,
                                        std::uint64_t seed);
  // A dead one leaves behind what its last moment was, another one what its end has made of it.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] const std::string& name() const noexcept { return options_.name; }
  [[nodiscard]] Host& host() const noexcept { return host_; }
  [[nodiscard]] Life& life() const noexcept { return *life_; }
  [[nodiscard]] model::WriterId writer() const noexcept { return writer_; }

  void record(model::Signal signal, RecordNumber number, std::size_t size);
  // When one of its threads has something to do, in the world's time.
  [[nodiscard]] base::SteadyTime wake_at() const;
  // Lets those run whose time has come.
  void step();
  void begin_shutdown(base::Duration time);
  [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }
  // Nothing that it knows of is left to be delivered by it.
  [[nodiscard]] bool is_idle() const;
  [[nodiscard]] std::string describe() const;

 private:
  Process(Host& host, const Surroundings& surroundings, ProcessOptions options, std::uint64_t seed);
  Result<void> assemble();
  Result<void> make_stores();
  void make_ends();
  void make_ways();
  void make_lanes();
  [[nodiscard]] flow::Random jitter() { return flow::uniform(dice_); }
  [[nodiscard]] journal::JournalOptions journal_options(const std::string& path, std::uint64_t size) const;
  Result<void> append(const model::Chunk& chunk);
  base::SteadyTime step_tier(base::SteadyTime now);
  void end();
  void take_apart();
  void save_pools();

  Host& host_;
  const Surroundings surroundings_;
  const ProcessOptions options_;
  Dice dice_;
  const model::WriterId writer_;
  const std::shared_ptr<Life> life_ = std::make_shared<Life>();
  ProcessDisk disk_{host_.disk, *life_};
  ProcessStore store_{surroundings_.cluster, life_};
  std::map<std::string, std::vector<std::byte>> pool_images_;  // of the last moment

  telemetry::ResourceSlot resource_;
  telemetry::ScopeContext scope_;
  telemetry::Recorder recorder_;
  telemetry::Intake intake_;

  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<journal::Journal> quarantine_;
  std::unique_ptr<journal::Pool> pool_;
  std::unique_ptr<sinks::CollectorSink> collector_;
  std::unique_ptr<flow::GuardedSink> guarded_collector_;
  std::unique_ptr<sinks::DiskSink> disk_sink_;
  std::unique_ptr<WatchedSink> watched_disk_;
  std::unique_ptr<flow::GuardedSink> guarded_disk_;
  std::unique_ptr<cassandra::CassandraSink> own_;
  std::unique_ptr<cassandra::CassandraSink> foreign_;
  std::unique_ptr<WatchedSink> watched_own_;
  std::unique_ptr<WatchedSink> watched_foreign_;
  std::unique_ptr<cassandra::ParkedSource> parked_;
  std::unique_ptr<flow::GuardedSink> parking_;
  std::unique_ptr<flow::GuardedSink> parking_for_others_;
  std::unique_ptr<flow::Router> live_way_;
  std::unique_ptr<flow::Router> journal_way_;
  std::unique_ptr<flow::Router> others_way_;
  std::unique_ptr<flow::Dispatcher> live_;
  std::unique_ptr<flow::Spiller> spiller_;
  std::unique_ptr<flow::Writers> others_;
  std::unique_ptr<flow::Recovery> recovery_;

  // A thread of the real thing: sleeps until its time or its bell.
  struct Lane {
    std::shared_ptr<flow::Doorbell> bell = std::make_shared<flow::Doorbell>();
    std::uint64_t heard = 0;
    base::SteadyTime wake_at = base::SteadyTime::min();
    [[nodiscard]] bool is_due(base::SteadyTime now) const { return wake_at <= now || bell->count() != heard; }
  };
  Lane live_lane_;
  Lane recovery_lane_;
  Lane tier_lane_;
  Lane sync_lane_;
  template <class Step>
  void turn(Lane& lane, base::SteadyTime now, Step step);
  bool collector_was_well_ = true;
  std::optional<base::SteadyTime> ends_by_;
  bool has_ended_ = false;
};

}  // namespace arca::simulation
