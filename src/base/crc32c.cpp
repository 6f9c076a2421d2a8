#include "base/crc32c.hpp"

#include <array>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace arca::base {
namespace {

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

// Slicing by eight: table k advances a byte over k further zero bytes.
constexpr Tables make_tables() {
  constexpr std::uint32_t polynomial = 0x82F63B78U;  // Castagnoli, bits reversed
  Tables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? polynomial : 0U);
    tables[0][i] = crc;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t crc = tables[k - 1][i];
      tables[k][i] = (crc >> 8U) ^ tables[0][crc & 0xFFU];
    }
  }
  return tables;
}

constexpr Tables tables = make_tables();

std::uint32_t step(std::uint32_t crc, std::byte byte) noexcept {
  return (crc >> 8U) ^ tables[0][(crc ^ static_cast<std::uint32_t>(byte)) & 0xFFU];
}

#if defined(__x86_64__)
// Three independent streams hide the instruction's latency of three cycles; they are joined by advancing the
// first two over the zeros that follow them.
constexpr std::size_t stream_size = 1024;

using ZeroTables = std::array<std::array<std::uint32_t, 256>, 4>;

constexpr std::uint32_t advance_over_zeros(std::uint32_t crc, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) crc = (crc >> 8U) ^ tables[0][crc & 0xFFU];
  return crc;
}

ZeroTables make_zero_tables() noexcept {
  ZeroTables zeros{};
  std::array<std::uint32_t, 32> of_bit{};
  for (std::size_t bit = 0; bit < of_bit.size(); ++bit) of_bit[bit] = advance_over_zeros(1U << bit, stream_size);
  for (std::size_t k = 0; k < zeros.size(); ++k) {
    for (std::size_t value = 0; value < 256; ++value) {
      std::uint32_t crc = 0;
      for (std::size_t bit = 0; bit < 8; ++bit) {
        if (((value >> bit) & 1U) != 0) crc ^= of_bit[8 * k + bit];
      }
      zeros[k][value] = crc;
    }
  }
  return zeros;
}

std::uint64_t skip_stream(const ZeroTables& zeros, std::uint64_t crc) noexcept {
  return zeros[0][crc & 0xFFU] ^ zeros[1][(crc >> 8U) & 0xFFU] ^ zeros[2][(crc >> 16U) & 0xFFU] ^
         zeros[3][(crc >> 24U) & 0xFFU];
}

__attribute__((target("sse4.2"))) std::uint32_t by_instruction(Bytes bytes, std::uint32_t before) noexcept {
  static const ZeroTables zeros = make_zero_tables();
  std::uint64_t crc = ~before;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 3 * stream_size; left -= 3 * stream_size, at += 3 * stream_size) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < stream_size; i += 8) {
      crc = _mm_crc32_u64(crc, load<std::uint64_t>(at + i));
      second = _mm_crc32_u64(second, load<std::uint64_t>(at + stream_size + i));
      third = _mm_crc32_u64(third, load<std::uint64_t>(at + 2 * stream_size + i));
    }
    crc = skip_stream(zeros, skip_stream(zeros, crc) ^ second) ^ third;
  }
  for (; left >= 8; left -= 8, at += 8) crc = _mm_crc32_u64(crc, load<std::uint64_t>(at));
  auto narrow = static_cast<std::uint32_t>(crc);
  for (; left > 0; --left, ++at) narrow = _mm_crc32_u8(narrow, static_cast<unsigned char>(*at));
  return ~narrow;
}
#endif

using Function = std::uint32_t (*)(Bytes, std::uint32_t) noexcept;

Function best_function() noexcept {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("sse4.2") != 0) return &by_instruction;
#endif
  return &crc32c_by_table;
}

}  // namespace

std::uint32_t crc32c_by_table(Bytes bytes, std::uint32_t before) noexcept {
  std::uint32_t crc = ~before;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    const auto low = load<std::uint32_t>(at) ^ crc;
    const auto high = load<std::uint32_t>(at + 4);
    crc = tables[7][low & 0xFFU] ^ tables[6][(low >> 8U) & 0xFFU] ^ tables[5][(low >> 16U) & 0xFFU] ^
          tables[4][low >> 24U] ^ tables[3][high & 0xFFU] ^ tables[2][(high >> 8U) & 0xFFU] ^
          tables[1][(high >> 16U) & 0xFFU] ^ tables[0][high >> 24U];
  }
  for (; left > 0; --left, ++at) crc = step(crc, *at);
  return ~crc;
}

std::uint32_t crc32c(Bytes bytes, std::uint32_t before) noexcept {
  static const Function function = best_function();
  return function(bytes, before);
}

}  // namespace arca::base
