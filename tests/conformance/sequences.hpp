// Where the random laws get their sequences from. Each sequence is made from one number, its seed; a failure names it
// and says how to repeat it. Used by all tests of this room.
//
//   ARCA_CONFORMANCE_SEED        the first seed (default: a random one)
//   ARCA_CONFORMANCE_SEQUENCES   how many sequences each law tries (default: what the law says)
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace arca::conformance {

inline std::uint64_t first_seed() {
  static const std::uint64_t seed = [] {
    const char* const given = std::getenv("ARCA_CONFORMANCE_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::uint64_t{std::random_device{}()};
  }();
  return seed;
}

inline std::uint64_t sequence_count(std::uint64_t otherwise) {
  const char* const given = std::getenv("ARCA_CONFORMANCE_SEQUENCES");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

inline std::string how_to_repeat(std::uint64_t seed) {
  return "repeat with ARCA_CONFORMANCE_SEED=" + std::to_string(seed) + " ARCA_CONFORMANCE_SEQUENCES=1";
}

// Calls law(seed) for each sequence, until one fails.
template <class Law>
void for_each_sequence(std::uint64_t count, Law law) {
  const std::uint64_t end = first_seed() + sequence_count(count);
  for (std::uint64_t seed = first_seed(); seed != end; ++seed) {
    SCOPED_TRACE(how_to_repeat(seed));
    law(seed);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace arca::conformance
