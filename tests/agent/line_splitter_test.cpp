// Bytes become records, whatever the pieces they come in.
#include "cli/agent/line_splitter.hpp"

#include <gtest/gtest.h>

namespace arca::cli::agent {
namespace {

using Texts = std::vector<std::string>;

Texts texts(const std::vector<SplitRecord>& records) {
  Texts all;
  for (const SplitRecord& one : records) all.push_back(one.text);
  return all;
}

SplitterOptions multi_line(std::size_t bytes_max = 1000) {
  return {bytes_max, std::make_shared<const std::regex>("\\d")};
}

TEST(LineSplitter, ALineIsARecordOnceItsNewlineIsThere) {
  LineSplitter splitter({});
  std::vector<SplitRecord> records;
  splitter.feed("one\ntw", records);
  EXPECT_EQ(texts(records), Texts{"one"});
  EXPECT_EQ(records[0].end_offset, 4u);
  EXPECT_TRUE(splitter.is_holding());
  splitter.feed("o\r\n\n", records);
  EXPECT_EQ(texts(records), (Texts{"one", "two"}));
  EXPECT_EQ(records[1].end_offset, 9u);
  EXPECT_FALSE(splitter.is_holding());
  EXPECT_EQ(splitter.read_offset(), 10u) << "the empty line is passed over";
}

TEST(LineSplitter, TheSameBytesInAnyPiecesGiveTheSameRecords) {
  const std::string bytes = "1 first\n  more\n2 second\n3 third\n\n  tail\n";
  for (const bool multi : {false, true}) {
    std::vector<SplitRecord> whole;
    LineSplitter once(multi ? multi_line() : SplitterOptions{});
    once.feed(bytes, whole);
    once.flush(whole);
    for (std::size_t piece = 1; piece < bytes.size(); ++piece) {
      std::vector<SplitRecord> records;
      LineSplitter splitter(multi ? multi_line() : SplitterOptions{});
      for (std::size_t at = 0; at < bytes.size(); at += piece) splitter.feed(bytes.substr(at, piece), records);
      splitter.flush(records);
      EXPECT_EQ(texts(records), texts(whole)) << piece;
    }
  }
}

TEST(LineSplitter, MultiLineRecordsEndBeforeTheNextFirstLine) {
  LineSplitter splitter(multi_line());
  std::vector<SplitRecord> records;
  splitter.feed("1 first\n  at x\n  at y\n2 second\n", records);
  EXPECT_EQ(texts(records), Texts{"1 first\n  at x\n  at y"});
  EXPECT_EQ(records[0].end_offset, 22u) << "where the second begins";
  splitter.flush(records);
  EXPECT_EQ(records.back().text, "2 second");
}

TEST(LineSplitter, ALongLineComesInPiecesAndNothingIsCutOff) {
  for (const bool multi : {false, true}) {
    LineSplitter splitter(multi ? multi_line(10) : SplitterOptions{10, nullptr});
    std::vector<SplitRecord> records;
    const std::string line = "1aaaaaaaa2bbbbbbbbbb3ccc";
    splitter.feed(line + "\n", records);
    splitter.flush(records);
    std::string joined;
    for (const SplitRecord& one : records) {
      EXPECT_LE(one.text.size(), 10u);
      joined += one.text;
    }
    EXPECT_EQ(joined, line);
  }
}

TEST(LineSplitter, FlushHandsOnTheUnfinishedLineAndTheRestFollowsAsItsOwn) {
  LineSplitter splitter({});
  std::vector<SplitRecord> records;
  splitter.feed("half", records);
  splitter.flush(records);
  splitter.feed(" a line\n", records);
  EXPECT_EQ(texts(records), (Texts{"half", " a line"}));
  EXPECT_EQ(records[0].end_offset, 4u);
}

}  // namespace
}  // namespace arca::cli::agent
