// History: one run of the simulation. A seed decides who lives in it, what they record, what fails when, and who comes
// back; then all faults end, and everything must come to rest with nothing lost.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fakes/fake_parking_store.hpp"
#include "simulation/process.hpp"

namespace arca::simulation {

// Kinds of fault, by name; leaving some out is how a failing history is made smaller.
inline constexpr std::array<std::string_view, 13> fault_kinds{
    "kill",      "kill-in-write", "kill-at-point", "freeze",      "clock-jump", "power-loss", "host-loss",
    "collector", "cluster",       "disk-full",     "disk-errors", "restart",    "shutdown"};

struct HistoryOptions {
  std::uint64_t seed = 1;
  std::uint32_t turns = 250;        // how often the dice are thrown
  std::set<std::string> without{};  // kinds of fault
  bool tells = false;               // prints the story
  std::string memory_directory{};   // on tmpfs
};

struct HistoryResult {
  Verdict verdict;
  std::uint64_t digest = 0;  // over everything that happened
  std::uint64_t steps = 0;
  std::uint64_t fault_count = 0;
  std::uint64_t parked = 0;  // chunks in the cluster at the end
  base::Duration time{};
};

class History {
 public:
  // On a thread of its own: what threads remember of pools would else make a second run differ from the first.
  static HistoryResult run(const HistoryOptions& options);

 private:
  explicit History(HistoryOptions options);
  ~History();
  HistoryResult live();
  void make_hosts();
  void start_process(Host& host);
  void take_turn();
  void record_some();
  void fault();
  void fault_of_process();
  void fault_of_host();
  void fault_of_peer();
  void fault_of_disk(Host& host);
  [[nodiscard]] bool allows(std::string_view kind) const { return !options_.without.contains(std::string(kind)); }
  Process* any_process();
  Host* any_host();
  void pass(base::Duration time);
  void run_until(base::SteadyTime time);
  Process* next_due(base::SteadyTime& due);
  void bury_dead();
  void kill_all_on(const Host& host);
  void end_faults();
  void come_to_rest();
  [[nodiscard]] bool is_at_rest() const;
  void collect_quarantine();
  void note_unrest();

  const HistoryOptions options_;
  World world_;
  Oracle oracle_;
  Dice dice_;
  Collector collector_;
  HostClock cluster_clock_{world_};
  fakes::FakeParkingStore store_{cluster_clock_};
  Cluster cluster_;
  Process::Surroundings surroundings_;
  journal::Durability durability_;
  bool uses_cassandra_ = false;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::unique_ptr<Process>> processes_;
  Process* stepping_ = nullptr;
  RecordNumber last_record_ = 0;
  std::uint32_t started_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t fault_count_ = 0;
};

}  // namespace arca::simulation
