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

using State = std::array<std::uint64_t, 4>;

State state_of(std::uint64_t seed) noexcept {
  State state;
  for (std::uint64_t& word : state) word = spread(seed);
  return state;
}

// xoshiro256++, without the zeros.
inline std::uint64_t step(State& state) noexcept {
  for (;;) {
    const std::uint64_t result = std::rotl(state[0] + state[3], 23) + state[0];
    const std::uint64_t shifted = state[1] << 17U;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = std::rotl(state[3], 45);
    if (result != 0) [[likely]]
      return result;
  }
}

// Trivial and initial-exec: reaching it is a load, also in a shared library and after the thread's destructors.
struct Local {
  State state;
  std::uint64_t generation;  // of forks, plus one; 0: not seeded yet
};
[[gnu::tls_model("initial-exec")]] constinit thread_local Local local{{}, 0};

[[gnu::cold, gnu::noinline]] void seed_local() noexcept {
  local = {state_of(random_from_kernel()), fork_generation() + 1};
}

}  // namespace

std::uint64_t random_from_kernel() noexcept {
  for (;;) {
    std::uint64_t bits = 0;
    if (!fill_from_kernel(&bits, sizeof bits)) bits = makeshift_seed(&bits);
    if (bits != 0) return bits;
  }
}

SeededRandom::SeededRandom(std::uint64_t seed) noexcept : state_(state_of(seed)) {}

std::uint64_t SeededRandom::next() noexcept { return step(state_); }

void fill_random(std::span<std::uint64_t> numbers) noexcept {
  if (local.generation != fork_generation() + 1) [[unlikely]]
    seed_local();
  State state = local.state;
  for (std::uint64_t& number : numbers) number = step(state);
  local.state = state;
}

std::uint64_t SystemRandom::next() noexcept {
  std::uint64_t number = 0;
  fill_random({&number, 1});
  return number;
}

Random& system_random() noexcept {
  static SystemRandom* const instance = new SystemRandom;
  return *instance;
}

namespace {
// Made when the library is loaded: a thread that is just making it while another one forks would leave the child
// waiting for ever for somebody who does not exist there.
[[maybe_unused]] const Random& random_at_load = system_random();
}  // namespace

}  // namespace arca::os
