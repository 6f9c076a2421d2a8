#include "telemetry/ids.hpp"

#include <fmt/format.h>

#include <cstring>

#include "os/random.hpp"

namespace arca::telemetry {

void make_trace_id(std::uint8_t (&id)[16]) noexcept {
  std::uint64_t bits[2];
  os::fill_random(bits);
  std::memcpy(id, bits, sizeof id);
}

void make_trace_and_span_id(std::uint8_t (&trace_id)[16], std::uint8_t (&span_id)[8]) noexcept {
  std::uint64_t bits[3];
  os::fill_random(bits);
  std::memcpy(trace_id, bits, 16);
  std::memcpy(span_id, bits + 2, 8);
}

void make_span_id(std::uint8_t (&id)[8]) noexcept {
  std::uint64_t bits[1];
  os::fill_random(bits);
  std::memcpy(id, bits, 8);
}

std::string make_uuid() {
  const std::uint64_t high = (os::random_from_kernel() & ~0xF000ULL) | 0x4000ULL;
  const std::uint64_t low = (os::random_from_kernel() >> 2U) | (1ULL << 63U);
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32U, (high >> 16U) & 0xFFFFU, high & 0xFFFFU,
                     low >> 48U, low & 0xFFFFFFFFFFFFULL);
}

}  // namespace arca::telemetry
