// arca_sim: runs histories, tells one, or makes a failing one smaller. `make sim SEEDS=n SEED_BASE=m` calls it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "simulation/history.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace arca::simulation;

struct Arguments {
  HistoryOptions history;
  std::uint64_t seeds = 1;
  bool minimises = false;
};

bool fails(const HistoryOptions& options) { return !History::run(options).verdict.broken.empty(); }

// Leaves out kinds of fault, then turns, as long as it goes on failing.
HistoryOptions minimised(HistoryOptions options) {
  for (const std::string_view kind : fault_kinds) {
    HistoryOptions fewer = options;
    fewer.without.insert(std::string(kind));
    if (fails(fewer)) options = fewer;
  }
  for (std::uint32_t step = options.turns / 2; step > 0; step /= 2) {
    HistoryOptions shorter = options;
    while (shorter.turns > step) {
      shorter.turns -= step;
      if (!fails(shorter)) break;
      options.turns = shorter.turns;
    }
  }
  return options;
}

std::string command_of(const HistoryOptions& options) {
  std::string command = fmt::format("arca_sim --seed {} --turns {} --tell", options.seed, options.turns);
  for (const std::string& kind : options.without) command += " --without " + kind;
  return command;
}

int run(Arguments arguments) {
  const arca::support::TemporaryDirectory memory("/dev/shm");
  arguments.history.memory_directory = memory.path();
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t failed = 0;
  Verdict sum;
  std::uint64_t faults = 0;
  std::chrono::duration<double> simulated{};
  for (std::uint64_t i = 0; i < arguments.seeds; ++i) {
    HistoryOptions options = arguments.history;
    options.seed += i;
    const HistoryResult outcome = History::run(options);
    sum.accepted += outcome.verdict.accepted;
    sum.arrived += outcome.verdict.arrived;
    sum.quarantined += outcome.verdict.quarantined;
    sum.excused += outcome.verdict.excused;
    sum.duplicates += outcome.verdict.duplicates;
    faults += outcome.fault_count;
    simulated += outcome.time;
    if (options.tells) fmt::print("digest {:016x}, {} steps\n", outcome.digest, outcome.steps);
    if (outcome.verdict.broken.empty()) continue;
    ++failed;
    fmt::print("seed {} FAILED\n", options.seed);
    for (const std::string& broken : outcome.verdict.broken) fmt::print("  {}\n", broken);
    if (arguments.minimises) fmt::print("  smallest: {}\n", command_of(minimised(options)));
  }
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  fmt::print(
      "{} histories, {} failed; {:.1f} hours and {} faults in {:.1f} s; accepted {}, arrived {}, quarantined {}, "
      "gone with what kept them {}, duplicates {}\n",
      arguments.seeds, failed, simulated.count() / 3600, faults, taken.count(), sum.accepted, sum.arrived,
      sum.quarantined, sum.excused, sum.duplicates);
  return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  CLI::App app(
      "Runs histories of faults over the real parts of Arca on simulated clocks, disks, network, Collector and "
      "Cassandra. Ends with 0 if nothing was lost in any of them, 1 if something was.");
  Arguments arguments;
  app.add_option("--seed", arguments.history.seed, "The first history")->capture_default_str();
  app.add_option("--seeds", arguments.seeds, "How many, one behind the other")->capture_default_str();
  app.add_option("--turns", arguments.history.turns, "The length of each")->capture_default_str();
  std::vector<std::string> without;
  app.add_option("--without", without, "A kind of fault to leave out; may be repeated")
      ->check(CLI::IsMember(std::vector<std::string>(fault_kinds.begin(), fault_kinds.end())));
  app.add_flag("--tell", arguments.history.tells, "Tells the story");
  app.add_flag("--minimise", arguments.minimises, "Looks for the smallest history that fails the same seed");
  CLI11_PARSE(app, count, words);
  arguments.history.without = {without.begin(), without.end()};
  return run(std::move(arguments));
}
