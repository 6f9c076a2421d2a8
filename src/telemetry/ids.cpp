#include "telemetry/ids.hpp"

#include <fmt/format.h>

#include <cstring>

#include "os/random.hpp"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace arca::telemetry {

namespace {

// Read as it was just written, in words: a load of both at once would have to wait until the stores are done.
void put_trace_id(const std::uint64_t* bits, std::uint8_t* id) noexcept {
#if defined(__x86_64__)
  const auto low = static_cast<long long>(bits[0]), high = static_cast<long long>(bits[1]);
  auto both = _mm_unpacklo_epi64(_mm_cvtsi64_si128(low), _mm_cvtsi64_si128(high));
  asm("" : "+x"(both));  // or the compiler makes one load of it again
  std::memcpy(id, &both, sizeof both);
#else
  std::memcpy(id, bits, 16);
#endif
}

}  // namespace

void make_trace_id(std::uint8_t (&id)[16]) noexcept {
  std::uint64_t bits[2];
  os::fill_random(bits);
  put_trace_id(bits, id);
}

void make_trace_and_span_id(std::uint8_t (&trace_id)[16], std::uint8_t (&span_id)[8]) noexcept {
  std::uint64_t bits[3];
  os::fill_random(bits);
  put_trace_id(bits, trace_id);
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
