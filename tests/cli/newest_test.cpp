// Of the records of a query the newest are kept, as far as count and bytes allow, and what is left out is counted.
#include "cli/query/newest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace arca::cli::query {
namespace {

using ::testing::ElementsAre;

TEST(NewestTest, KeepsTheNewestInTheOrderOfTime) {
  Newest<int> newest(3);
  for (const int time : {4, 1, 5, 2, 3}) newest.put(static_cast<std::uint64_t>(time), 1, time);
  EXPECT_TRUE(newest.is_full());
  EXPECT_EQ(newest.oldest(), 3U);
  EXPECT_TRUE(newest.takes(4));
  EXPECT_FALSE(newest.takes(3));
  EXPECT_EQ(newest.take_left_out(), 2U);
  EXPECT_THAT(newest.take_all(), ElementsAre(3, 4, 5));
  EXPECT_TRUE(newest.empty());
  EXPECT_TRUE(newest.takes(0));
}

TEST(NewestTest, KeepsNoMoreBytesThanItMay) {
  constexpr std::uint64_t large = Newest<int>::bytes_max / 2;
  Newest<int> newest(100);
  for (const int time : {1, 2, 3}) newest.put(static_cast<std::uint64_t>(time), large, time);
  EXPECT_TRUE(newest.is_full());
  EXPECT_EQ(newest.take_left_out(), 1U);
  newest.put(4, 2 * large + 1, 4);  // alone too large
  EXPECT_EQ(newest.take_left_out(), 3U);
  EXPECT_TRUE(newest.take_all().empty());
}

}  // namespace
}  // namespace arca::cli::query
