// The seam to randomness: ids for writers, traces and spans, and jitter. The default is SystemRandom; tests inject
// SeededRandom.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace arca::os {

// Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  // Any 64 bits but 0.
  virtual std::uint64_t next() noexcept = 0;
};

// A generator per thread (xoshiro256++), seeded by the kernel and seeded anew in a forked child: no system call and
// no lock per number. Unique, but not secret.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() noexcept override;
};

// The process-wide real one.
Random& system_random() noexcept;

// Several numbers of it at once, without a virtual call: for the ids of a span. None of them is 0.
void fill_random(std::span<std::uint64_t> numbers) noexcept;

// 64 bits straight from the kernel, never 0: for ids that must be unique among hosts, such as a writer's.
std::uint64_t random_from_kernel() noexcept;

// The generator alone. Not thread-safe: for tests and for jitter within one thread.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) noexcept;
  std::uint64_t next() noexcept override;

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace arca::os
