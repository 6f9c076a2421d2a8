// The table of faults: each test of a fault prints one row, and fails when something is lost. Used by the fault tests
// of the Cassandra tier.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <string>

namespace arca::support {

struct FaultRow {
  std::string fault;
  std::uint64_t accepted = 0;    // records whose End() has returned
  std::uint64_t arrived = 0;     // of them, in the Collector
  std::uint64_t duplicates = 0;  // arrivals beyond the first, each in a chunk under its first id
  std::uint64_t allowed = 0;     // what may be missing: what status() said that a loss of the host would take
};

inline void report_fault(const FaultRow& row) {
  const std::uint64_t lost = row.accepted - std::min(row.accepted, row.arrived);
  std::printf("| %-58s | %8llu accepted | %8llu arrived | %6llu duplicates | %4llu lost |\n", row.fault.c_str(),
              static_cast<unsigned long long>(row.accepted), static_cast<unsigned long long>(row.arrived),
              static_cast<unsigned long long>(row.duplicates), static_cast<unsigned long long>(lost));
  std::fflush(stdout);
  EXPECT_LE(lost, row.allowed) << row.fault;
  EXPECT_GT(row.accepted, 0U) << row.fault << ": nothing was accepted, so nothing is shown";
}

}  // namespace arca::support
