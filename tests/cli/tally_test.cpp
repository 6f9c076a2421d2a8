// The sink's arithmetic: what was taken, what came twice, what is missing.
#include "cli/sink/tally.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <unordered_set>

#include "cli/otlp_request.hpp"

namespace arca::cli::sink {
namespace {

using model::Signal;

std::optional<std::uint64_t> take(Tally& tally, Signal signal, const std::string& request, const char* chunk = "") {
  return tally.take(signal, base::as_bytes(request), request.size(), chunk);
}

TEST(TallyTest, SpansAreUniqueByTheirId) {
  Tally tally({.ids = true});
  EXPECT_EQ(take(tally, Signal::traces, testing::spans("a", 1, 100)), 100U);
  EXPECT_EQ(take(tally, Signal::traces, testing::spans("a", 91, 110)), 20U);
  EXPECT_EQ(tally.of(Signal::traces).item_count, 120U);
  EXPECT_EQ(tally.of(Signal::traces).unique_count, 110U);
  EXPECT_EQ(tally.of(Signal::traces).duplicate_count, 10U);
}

TEST(TallyTest, SequencesTellMissingDuplicateAndSpurious) {
  Tally tally({.ids = false, .sequences = true});
  take(tally, Signal::traces, testing::spans("a", 1, 10));
  take(tally, Signal::traces, testing::spans("a", 15, 21));
  take(tally, Signal::traces, testing::spans("a", 3, 4));
  take(tally, Signal::traces, testing::spans("b", 1, 5));
  const auto report = tally.stream_report(Signal::traces, "a", 1, 20);
  EXPECT_EQ(report["count"], 17);
  EXPECT_EQ(report["missing_count"], 4);
  EXPECT_EQ(report["missing"], (nlohmann::ordered_json{{11, 14}}));
  EXPECT_EQ(report["spurious_count"], 1);
  EXPECT_EQ(report["duplicate_sequences"], (nlohmann::ordered_json{3, 4}));
  EXPECT_EQ(tally.stream_report(Signal::traces, "b", 1, 5)["missing_count"], 0);
}

TEST(TallyTest, LogRecordsAreKnownBySequenceAndPointsAreCounted) {
  Tally tally({.ids = true, .sequences = true});
  take(tally, Signal::logs, testing::logs(1, 9));
  take(tally, Signal::logs, testing::logs(9, 12));
  EXPECT_EQ(tally.of(Signal::logs).unique_count, 12U);
  EXPECT_EQ(tally.of(Signal::logs).duplicate_count, 1U);
  EXPECT_EQ(take(tally, Signal::metrics, testing::points(5)), 10U);
  EXPECT_EQ(tally.of(Signal::metrics).unique_count, 10U);
}

TEST(TallyTest, ChunkIdNamesADuplicate) {
  Tally tally({});
  take(tally, Signal::traces, testing::spans("a", 1, 2), "w-1");
  take(tally, Signal::traces, testing::spans("a", 1, 2), "w-1");
  take(tally, Signal::traces, testing::spans("a", 3, 4), "w-2");
  EXPECT_EQ(tally.report()["chunks"]["unique"], 2);
  EXPECT_EQ(tally.report()["chunks"]["duplicates"], 1);
}

TEST(TallyTest, AnItemThatComesAgainInAnotherChunkIsRenamed) {
  Tally tally({.ids = false, .sequences = true});
  take(tally, Signal::traces, testing::spans("a", 1, 10), "w-1");
  take(tally, Signal::traces, testing::spans("a", 21, 30), "w-3");
  take(tally, Signal::traces, testing::spans("a", 11, 20), "w-2");
  take(tally, Signal::traces, testing::spans("a", 11, 20), "w-2");
  take(tally, Signal::traces, testing::spans("a", 1, 10), "w-1");
  EXPECT_EQ(tally.stream_report(Signal::traces, "a", 1, 30)["renamed"], 0);
  take(tally, Signal::traces, testing::spans("a", 9, 12), "w-1");  // two of them are not its own
  EXPECT_EQ(tally.stream_report(Signal::traces, "a", 1, 30)["renamed"], 2);
  take(tally, Signal::traces, testing::spans("a", 30, 30), "");
  EXPECT_EQ(tally.stream_report(Signal::traces, "a", 1, 30)["renamed"], 3);
  take(tally, Signal::traces, testing::spans("b", 1, 1), "w-1");
  EXPECT_EQ(tally.stream_report(Signal::traces, "b", 1, 1)["renamed"], 0);
}

TEST(TallyTest, MalformedRequestLeavesNoTrace) {
  Tally tally({.ids = true, .sequences = true});
  const std::string whole = testing::spans("a", 1, 50);
  for (std::size_t size = 1; size < whole.size(); ++size) {
    EXPECT_FALSE(take(tally, Signal::traces, whole.substr(0, size))) << size;
  }
  EXPECT_EQ(tally.of(Signal::traces).item_count, 0U);
  EXPECT_TRUE(tally.report()["streams"].empty());
}

TEST(IdSetTest, AgreesWithTheStandardSet) {
  IdSet ids(1'000'000);
  std::unordered_set<std::uint64_t> model;
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::uint64_t> some(500);
    for (std::uint64_t& id : some) id = random() % 60'000;  // 0 and repetitions too
    const std::size_t before = model.size();
    model.insert(some.begin(), some.end());
    ASSERT_EQ(ids.insert(some), model.size() - before);
  }
  EXPECT_EQ(ids.size(), model.size());
}

TEST(SequenceSetTest, RangesAndGapsCrossBlocks) {
  SequenceSet set;
  for (std::int64_t i = 65'530; i < 65'540; ++i) EXPECT_TRUE(set.insert(i));
  EXPECT_FALSE(set.insert(65'536));
  EXPECT_EQ(set.ranges(10), (std::vector<Range>{{65'530, 65'539}}));
  EXPECT_EQ(set.missing(65'528, 65'541, 10), (std::vector<Range>{{65'528, 65'529}, {65'540, 65'541}}));
  EXPECT_EQ(set.duplicate_count(), 1U);
}

}  // namespace
}  // namespace arca::cli::sink
