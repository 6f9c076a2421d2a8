// Whole histories of faults over the real parts on simulated ends. ARCA_SIM_SEEDS (2,000) histories from
// ARCA_SIM_SEED_BASE (1) on; a failing one prints the command that tells its story.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "simulation/history.hpp"
#include "support/temporary_directory.hpp"

namespace arca::simulation {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* given = std::getenv(variable);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

TEST(Simulation, NothingIsLostInAnyHistory) {
  const support::TemporaryDirectory memory("/dev/shm");
  const std::uint64_t base = number_from("ARCA_SIM_SEED_BASE", 1);
  const std::uint64_t count = number_from("ARCA_SIM_SEEDS", 2000);
  Verdict sum;
  for (std::uint64_t seed = base; seed < base + count; ++seed) {
    const HistoryResult outcome = History::run({.seed = seed, .memory_directory = memory.path()});
    for (const std::string& broken : outcome.verdict.broken)
      ADD_FAILURE() << "seed " << seed << ": " << broken << "\n  build/release/arca_sim --seed " << seed
                    << " --tell shows how it came to that";
    sum.accepted += outcome.verdict.accepted;
    sum.arrived += outcome.verdict.arrived;
    sum.duplicates += outcome.verdict.duplicates;
    sum.quarantined += outcome.verdict.quarantined;
    sum.excused += outcome.verdict.excused;
    if (HasFailure()) break;
  }
  std::printf(
      "%llu histories: accepted %llu, arrived %llu, quarantined %llu, gone with what kept them %llu, "
      "duplicates %llu\n",
      static_cast<unsigned long long>(count), static_cast<unsigned long long>(sum.accepted),
      static_cast<unsigned long long>(sum.arrived), static_cast<unsigned long long>(sum.quarantined),
      static_cast<unsigned long long>(sum.excused), static_cast<unsigned long long>(sum.duplicates));
  // The histories did hold what they are about.
  EXPECT_GT(sum.accepted, 100 * count);
  EXPECT_GT(sum.duplicates, 0U);
}

// What a history did, by a process of its own, as arca_sim tells it.
std::string told_by_a_process(std::uint64_t seed) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    const support::TemporaryDirectory memory("/dev/shm");
    const HistoryResult outcome = History::run({.seed = seed, .memory_directory = memory.path()});
    const std::string text = std::to_string(outcome.digest) + " in " + std::to_string(outcome.steps) + " steps";
    const bool told = write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    _exit(told ? 0 : 1);
  }
  close(ends[1]);
  std::string text(200, '\0');
  const ssize_t size = read(ends[0], text.data(), text.size());
  close(ends[0]);
  int status = 1;
  waitpid(child, &status, 0);
  text.resize(size > 0 && status == 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

TEST(Simulation, TheSameSeedIsTheSameHistory) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const std::string first = told_by_a_process(seed);
    EXPECT_FALSE(first.empty());
    EXPECT_EQ(first, told_by_a_process(seed)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace arca::simulation
