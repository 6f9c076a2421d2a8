// The counters of the conservation law, per signal, in items. They live in the mapping of the pool, in the
// journal and in the ledger of finished writers; Status adds them up.
#pragma once

#include <array>
#include <cstdint>

#include "model/signal.hpp"

namespace arca::model {

// accepted == delivered + parked + quarantined + journaled + (in memory) + lost; refused records were never
// accepted into a chunk, but End() has returned for them, so the law counts them on both sides.
struct SignalTotals {
  std::uint64_t accepted = 0;
  std::uint64_t delivered = 0;
  std::uint64_t parked = 0;       // handed to Cassandra
  std::uint64_t journaled = 0;    // handed to the journal
  std::uint64_t quarantined = 0;  // rejected for good, kept for people to look at
  std::uint64_t refused = 0;      // refused by policy: every tier full
  std::uint64_t lost = 0;         // must be 0

  SignalTotals& operator+=(const SignalTotals& other) noexcept {
    accepted += other.accepted;
    delivered += other.delivered;
    parked += other.parked;
    journaled += other.journaled;
    quarantined += other.quarantined;
    refused += other.refused;
    lost += other.lost;
    return *this;
  }
};

using Totals = std::array<SignalTotals, signal_count>;

// What a store has counted and the items that it holds, both of the same moment.
struct Account {
  Totals totals{};
  std::array<std::uint64_t, signal_count> items{};
};

}  // namespace arca::model
