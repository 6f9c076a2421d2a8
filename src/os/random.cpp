#include "os/random.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <chrono>
#include <cstddef>

#include "os/fork.hpp"

namespace arca::os {
namespace {

// splitmix64: spreads a seed over the whole state.
std::uint64_t spread(std::uint64_t& seed) noexcept {
  seed += 0x9E3779B97F4A7C15ULL;
  std::uint64_t bits = seed;
  bits = (bits ^ (bits >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  bits = (bits ^ (bits >> 27U)) * 0x94D049BB133111EBULL;
  return bits ^ (bits >> 31U);
}

// Only where a sandbox forbids getrandom: time, process and an address are better than a constant.
std::uint64_t makeshift_seed(const void* address) noexcept {
  auto seed = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  seed ^= static_cast<std::uint64_t>(::getpid()) << 40U;
  seed ^= static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()) << 20U;
  seed ^= std::bit_cast<std::uintptr_t>(address);
  return spread(seed);
}

bool fill_from_kernel(void* target, std::size_t size) noexcept {
  ssize_t count = 0;
  do {
    count = ::getrandom(target, size, 0);
  } while (count < 0 && errno == EINTR);
  return count == static_cast<ssize_t>(size);
}

}  // namespace

std::uint64_t random_from_kernel() noexcept {
  for (;;) {
    std::uint64_t bits = 0;
    if (!fill_from_kernel(&bits, sizeof bits)) bits = makeshift_seed(&bits);
    if (bits != 0) return bits;
  }
}

SeededRandom::SeededRandom(std::uint64_t seed) noexcept {
  for (std::uint64_t& word : state_) word = spread(seed);
}

std::uint64_t SeededRandom::next() noexcept {
  for (;;) {
    const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    if (result != 0) return result;
  }
}

std::uint64_t SystemRandom::next() noexcept {
  struct Local {
    SeededRandom random{random_from_kernel()};
    std::uint64_t generation = fork_generation();
  };
  static thread_local Local local;
  if (local.generation != fork_generation()) local = Local();
  return local.random.next();
}

Random& system_random() noexcept {
  static SystemRandom* const instance = new SystemRandom;
  return *instance;
}

}  // namespace arca::os
