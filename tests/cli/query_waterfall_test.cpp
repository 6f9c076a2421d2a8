// The waterfall and the text on it: any trace is a tree, nothing leaves the screen, and nothing from outside moves its
// cursor.
#include "cli/query/trace_tree.hpp"
#include "cli/query/waterfall.hpp"
#include "cli/query_fixture.hpp"
#include "cli/terminal_text.hpp"
#include "otlp/utf8.hpp"

namespace arca::cli::query {
namespace {

using namespace testing;
using model::Signal;

class WaterfallTest : public ::testing::Test {
 protected:
  // Kept alive by the test: the tree points into them.
  const TraceRecords::Trace& read(const std::string& request) {
    records_ = std::make_unique<TraceRecords>(std::vector<TraceId>{id_}, 10'000);
    EXPECT_TRUE(records_->visit({Place::journal, Signal::traces, base::as_bytes(request), std::nullopt}));
    return records_->trace(id_);
  }
  std::vector<std::string> order(const std::string& request) {
    std::vector<std::string> names;
    for (const TraceNode& node : order_tree(read(request).spans)) {
      names.push_back(std::string(node.depth, '.') + std::string(node.span->span.name));
    }
    return names;
  }
  std::string draw(const std::string& request, std::size_t columns, bool ascii = false) {
    Screen screen;
    screen.columns = columns;
    screen.ascii = ascii;
    return draw_waterfall(id_, read(request), screen, {});
  }

  const TraceId id_ = *parse_trace_id(hex_of('T'));
  std::unique_ptr<TraceRecords> records_;
};

constexpr std::uint64_t begin = 1'700'000'000'000'000'000ULL;
constexpr std::uint64_t ms = 1'000'000ULL;

using Names = std::vector<std::string>;

TEST_F(WaterfallTest, ChildrenStandBehindTheirParentAndSiblingsByTheirStart) {
  EXPECT_EQ(order(request_with({{'T', 'd', 'b', "d", begin + 3 * ms, ms},
                                {'T', 'c', 'a', "c", begin + 5 * ms, ms},
                                {'T', 'b', 'a', "b", begin + 2 * ms, 3 * ms},
                                {'T', 'a', 0, "a", begin, 9 * ms}})),
            (Names{"a", ".b", "..d", ".c"}));
}

TEST_F(WaterfallTest, ASpanWhoseParentIsNotThereIsARoot) {
  const std::string request = request_with({{'T', 'b', 'x', "b", begin + ms, ms}, {'T', 'a', 0, "a", begin, ms}});
  EXPECT_EQ(order(request), (Names{"a", "b"}));
  EXPECT_NE(draw(request, 80).find("1 span whose parent is not here"), std::string::npos);
}

TEST_F(WaterfallTest, ARingOfParentsIsCutAndNoSpanIsMissing) {
  EXPECT_EQ(order(request_with({{'T', 'a', 'c', "a", begin + ms, ms},
                                {'T', 'b', 'a', "b", begin, ms},
                                {'T', 'c', 'b', "c", begin + 2 * ms, ms},
                                {'T', 's', 's', "self", begin, ms}})),
            (Names{"self", "b", ".c", "..a"}));
}

TEST_F(WaterfallTest, BarsStandWhereTheirSpansStandInTime) {
  const std::string text = draw(
      request_with({{'T', 'a', 0, "all", begin, 100 * ms}, {'T', 'b', 'a', "half", begin + 50 * ms, 50 * ms}}), 80);
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (line.find("█") != std::string::npos) lines.push_back(line);
  }
  ASSERT_EQ(lines.size(), 2U) << text;
  EXPECT_EQ(occurrences(lines[0], "█"), 2 * occurrences(lines[1], "█")) << text;
  EXPECT_EQ(column_count(lines[0]), column_count(lines[1])) << text;
  EXPECT_NE(lines[0].find("100ms"), std::string::npos) << text;
}

TEST_F(WaterfallTest, NoLineLeavesTheScreenHoweverNarrowItIs) {
  std::vector<MadeSpan> made{
      {'T', 'a', 0, "結帳 GET /very/long/path/that/goes/on/and/on/日本語/and/on", begin, 90 * ms}};
  for (char id = 'b'; id < 'z'; ++id) {
    made.push_back({'T', id, static_cast<char>(id - 1), std::string("step ") + id + " 🚀 e\u0301", begin + ms, ms});
  }
  const std::string request = request_with(made, "закупки");
  for (std::size_t columns = 30; columns <= 200; ++columns) {
    for (const bool ascii : {false, true}) {
      std::istringstream lines(draw(request, columns, ascii));
      std::string line;
      for (int i = 0; i < 2; ++i) std::getline(lines, line);  // the id, which is never cut, and what is known of it
      while (std::getline(lines, line)) {
        EXPECT_TRUE(otlp::is_utf8(line)) << line;
        EXPECT_LE(column_count(line), columns) << line;
        if (!ascii) continue;
        for (const char c : line) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << line;
      }
    }
  }
}

TEST_F(WaterfallTest, TextFromOutsideCannotMoveTheCursor) {
  const std::string evil = std::string("a\x1b[2Jb\r\n\x07\xc2\x9b") + "31m\xff\xe2\x80\xae" + "end";
  const std::string text = draw(request_with({{'T', 'a', 0, evil, begin, ms}}, evil), 160);
  EXPECT_TRUE(otlp::is_utf8(text));
  for (const char* part : {"\x1b", "\r", "\x07", "\xc2\x9b", "\xe2\x80\xae"}) {
    EXPECT_EQ(text.find(part), std::string::npos) << text;
  }
  EXPECT_NE(text.find("\\x1b[2Jb"), std::string::npos) << text;
}

TEST_F(WaterfallTest, ATraceOfManyThousandLevelsIsDrawn) {
  std::string records;
  const auto id_of = [](std::uint64_t number) {
    return std::string(reinterpret_cast<const char*>(&number), sizeof number);
  };
  for (std::uint64_t i = 1; i <= 5000; ++i) {
    std::string span = field(1, std::string(16, 'T')) + field(2, id_of(i)) + field(5, "level");
    if (i > 1) span += field(4, id_of(i - 1));
    records += field(2, span + fixed(7, begin + i) + fixed(8, begin + 9999));
  }
  const std::string text = draw(request_of(records), 200);
  EXPECT_EQ(occurrences(text, "level"), 5000U);
  EXPECT_LT(text.size(), 5000U * 800U);
}

TEST(TerminalTextTest, TextIsMeasuredInColumns) {
  EXPECT_EQ(column_count("abc"), 3U);
  EXPECT_EQ(column_count("e\u0301"), 1U);
  EXPECT_EQ(column_count("日本"), 4U);
  EXPECT_EQ(column_count("🚀"), 2U);
  EXPECT_EQ(fit("日本語", 6), "日本語");
  EXPECT_EQ(fit("日本語", 5), "日本…");
  EXPECT_EQ(fit("日本語", 4), "日…");
  EXPECT_EQ(fit("abc", 0), "");
  EXPECT_EQ(fit("abc", 1), "…");
  EXPECT_EQ(pad_left("日", 4), "  日");
  EXPECT_EQ(pad_right("abcdef", 4), "abc…");
}

}  // namespace
}  // namespace arca::cli::query
