#include "base/crc32c.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace arca::base {
namespace {

// RFC 3720, appendix B.4, and the check value of the catalogue of CRC algorithms.
TEST(Crc32cTest, KnownVectors) {
  const std::vector<std::byte> zeros(32, std::byte{0});
  const std::vector<std::byte> ones(32, std::byte{0xFF});
  std::vector<std::byte> rising(32);
  for (std::size_t i = 0; i < 32; ++i) rising[i] = static_cast<std::byte>(i);
  for (const auto function : {&crc32c, &crc32c_by_table}) {
    EXPECT_EQ(function(as_bytes("123456789"), 0), 0xE3069283U);
    EXPECT_EQ(function(zeros, 0), 0x8A9136AAU);
    EXPECT_EQ(function(ones, 0), 0x62A8AB43U);
    EXPECT_EQ(function(rising, 0), 0x46DD794EU);
    EXPECT_EQ(function({}, 0), 0U);
  }
}

TEST(Crc32cTest, InstructionAndTableAgreeAtAnyLengthAlignmentAndSplit) {
  std::mt19937 random(5);
  std::vector<std::byte> bytes(20'000);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  for (int i = 0; i < 500; ++i) {
    const std::size_t from = random() % 64;
    const Bytes part = Bytes(bytes).subspan(from, random() % (bytes.size() - from));
    const std::uint32_t whole = crc32c(part);
    EXPECT_EQ(whole, crc32c_by_table(part));
    const std::size_t split = part.empty() ? 0 : random() % part.size();
    EXPECT_EQ(whole, crc32c(part.subspan(split), crc32c(part.first(split))));
  }
}

}  // namespace
}  // namespace arca::base
