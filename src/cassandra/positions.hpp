// What is said about single positions of a segment: those at which no chunk was found, and those whose chunk its writer
// does not count. Both stand in the directory as text, since both are rare and people may want to read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/signal.hpp"

namespace arca::cassandra {

// No segment has a position at or behind it: what says so is damaged.
inline constexpr std::int32_t positions_max = 1 << 20;

// Positions at which no chunk was found, as ranges: "3 7-9". Not thread-safe.
class Gaps {
 public:
  struct Range {
    std::int32_t first = 0;
    std::int32_t last = 0;  // included
    bool operator==(const Range&) const = default;
  };

  // Requires: they lie behind all that are in it.
  void add(std::int32_t first, std::int32_t last);
  // Forgets those from this position on.
  void cut(std::int32_t from);
  [[nodiscard]] bool contains(std::int32_t position) const noexcept;
  [[nodiscard]] const std::vector<Range>& ranges() const noexcept { return ranges_; }
  bool operator==(const Gaps&) const = default;

 private:
  std::vector<Range> ranges_;  // ascending, neither empty nor adjacent
};

std::string to_text(const Gaps& gaps);
// Of a damaged text, what comes before the damage.
Gaps gaps_of(std::string_view text);

// A chunk that its writer has put there, or tried to, and does not count: it never learnt in time whether it lies
// there, and has parked it, or kept it, elsewhere.
struct UncountedChunk {
  std::int32_t position = 0;
  model::Signal signal = model::Signal::traces;
  std::uint32_t item_count = 0;
  bool operator==(const UncountedChunk&) const = default;
};

// "3:0:10 7:1:5": position, signal, items.
std::string to_text(const std::vector<UncountedChunk>& chunks);
// In ascending order of their positions; of a damaged text, what comes before the damage.
std::vector<UncountedChunk> uncounted_of(std::string_view text);

}  // namespace arca::cassandra
