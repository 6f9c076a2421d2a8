// Whole histories of faults over the real parts on simulated ends. ARCA_SIM_SEEDS (2,000) histories from
// ARCA_SIM_SEED_BASE (1) on; a failing one prints the command that tells its story.
#include <gtest/gtest.h>

#include <cstdlib>

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
    const Outcome outcome = History::run({.seed = seed, .memory_directory = memory.path()});
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

TEST(Simulation, TheSameSeedIsTheSameHistory) {
  const support::TemporaryDirectory memory("/dev/shm");
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const Outcome first = History::run({.seed = seed, .memory_directory = memory.path()});
    const Outcome second = History::run({.seed = seed, .memory_directory = memory.path()});
    EXPECT_EQ(first.digest, second.digest) << "seed " << seed;
    EXPECT_EQ(first.steps, second.steps) << "seed " << seed;
  }
}

}  // namespace
}  // namespace arca::simulation
