// Texts about positions, as they stand in the directory: what is written is read back, and nothing that stands there
// does harm.
#include "cassandra/positions.hpp"

#include <gtest/gtest.h>

#include "os/random.hpp"

namespace arca::cassandra {
namespace {

TEST(PositionsTest, GapsAreRangesThatGrowTogether) {
  Gaps gaps;
  EXPECT_EQ(to_text(gaps), "");
  gaps.add(3, 3);
  gaps.add(7, 8);
  gaps.add(9, 9);
  EXPECT_EQ(to_text(gaps), "3 7-9");
  for (std::int32_t at = 0; at < 12; ++at) EXPECT_EQ(gaps.contains(at), at == 3 || (at >= 7 && at <= 9)) << at;
  gaps.cut(8);
  EXPECT_EQ(to_text(gaps), "3 7");
  gaps.cut(7);
  EXPECT_EQ(to_text(gaps), "3");
  gaps.cut(0);
  EXPECT_EQ(to_text(gaps), "");
}

TEST(PositionsTest, GapsComeBackFromTheirText) {
  os::SeededRandom random(3);
  for (int round = 0; round < 200; ++round) {
    Gaps gaps;
    std::int32_t at = 0;
    for (int i = 0; i < 10; ++i) {
      const auto first = at + static_cast<std::int32_t>(random.next() % 3);
      const auto last = first + static_cast<std::int32_t>(random.next() % 3);
      gaps.add(first, last);
      at = last + 1;
    }
    EXPECT_EQ(gaps_of(to_text(gaps)), gaps) << to_text(gaps);
  }
}

TEST(PositionsTest, OfADamagedTextWhatComesBeforeTheDamageIsTaken) {
  EXPECT_EQ(to_text(gaps_of("1 x 3")), "1");
  EXPECT_EQ(to_text(gaps_of("5 4")), "5");
  EXPECT_EQ(to_text(gaps_of("5 9-7")), "5");
  EXPECT_EQ(to_text(gaps_of("5 6-99999999999")), "5");
  EXPECT_EQ(to_text(gaps_of("-3")), "");
  EXPECT_EQ(to_text(gaps_of("0-1048576")), "") << "no segment has so many";
  EXPECT_EQ(to_text(uncounted_of("3:0:10 3:1:5")), "3:0:10") << "not in their order";
  EXPECT_EQ(to_text(uncounted_of("3:0:10 7:3:5")), "3:0:10") << "no such signal";
  EXPECT_EQ(to_text(uncounted_of("3:0:10 7:1")), "3:0:10");
  EXPECT_EQ(to_text(uncounted_of("3:0:4294967296")), "");
}

TEST(PositionsTest, UncountedChunksComeBackFromTheirText) {
  const std::vector<UncountedChunk> chunks{
      {0, model::Signal::metrics, 1}, {7, model::Signal::logs, 4'294'967'295U}, {1'048'575, model::Signal::traces, 0}};
  EXPECT_EQ(to_text(chunks), "0:1:1 7:2:4294967295 1048575:0:0");
  EXPECT_EQ(uncounted_of(to_text(chunks)), chunks);
}

}  // namespace
}  // namespace arca::cassandra
