// Dice: the chance of one history. Every part draws from dice of its own, named by what it decides, so that leaving one
// kind of fault out changes as little as possible of the rest.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/time.hpp"
#include "os/random.hpp"

namespace arca::simulation {

class Dice final : public os::Random {
 public:
  Dice(std::uint64_t seed, std::string_view name) noexcept : random_(mixed(seed, name)) {}

  std::uint64_t next() noexcept override { return random_.next(); }
  std::uint64_t below(std::uint64_t limit) noexcept { return limit == 0 ? 0 : next() % limit; }
  std::uint64_t between(std::uint64_t least, std::uint64_t most) noexcept { return least + below(most - least + 1); }
  bool chance(std::uint32_t percent) noexcept { return below(100) < percent; }
  base::Duration between(base::Duration least, base::Duration most) noexcept {
    return least + base::Duration(below(static_cast<std::uint64_t>(std::max<std::int64_t>(1, (most - least).count()))));
  }

 private:
  // FNV-1a over both.
  static std::uint64_t mixed(std::uint64_t seed, std::string_view name) noexcept {
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    const auto take = [&hash](std::uint64_t byte) { hash = (hash ^ (byte & 0xFFU)) * 0x100000001B3ULL; };
    for (int i = 0; i < 8; ++i) take(seed >> (8 * i));
    for (const char letter : name) take(static_cast<unsigned char>(letter));
    return hash;
  }
  os::SeededRandom random_;
};

}  // namespace arca::simulation
