// The worked example of docs/journal_format.md, written by the journal itself; and what a segment looks like to
// somebody who only reads.
#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "journal/segment_reader.hpp"
#include "journal_fixture.hpp"

namespace arca::journal {
namespace {

class JournalFormatTest : public JournalFixture {};

std::string hex_of(const std::vector<std::byte>& bytes) {
  std::string text;
  for (std::size_t row = 0; row < bytes.size(); row += 16) {
    text += fmt::format("{:04x} ", row);
    for (std::size_t i = row; i < std::min(row + 16, bytes.size()); ++i) {
      text += fmt::format(" {:02x}", static_cast<unsigned>(bytes[i]));
    }
    text += '\n';
  }
  return text;
}

std::string document() {
  const std::string here = __FILE__;
  const std::string root = here.substr(0, here.rfind("/tests/"));
  std::ifstream file(root + "/docs/journal_format.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(JournalFormatTest, TheWorkedExampleIsWhatTheJournalWrites) {
  model::Chunk chunk;
  chunk.id = {writer, 1};
  chunk.signal = model::Signal::logs;
  chunk.item_count = 2;
  chunk.sealed_at = base::WallTime(std::chrono::seconds(1'800'000'000));
  chunk.payload = model::Payload::copy_of(base::as_bytes("hello, journal"));
  ASSERT_TRUE(journal().append(chunk));
  settle(1);
  crash();
  std::vector<std::byte> bytes = files_.contents(segments().at(0));
  bytes.resize(static_cast<std::size_t>(first_record_offset + record_size(14) + record_size(0)));
  const std::string hex = hex_of(bytes);
  EXPECT_NE(document().find(hex), std::string::npos) << "docs/journal_format.md should contain:\n" << hex;
}

TEST_F(JournalFormatTest, TheReaderHidesNothingOfADamagedSegment) {
  for (std::uint64_t i = 1; i <= 5; ++i) append(i);
  crash();
  const std::string path = segments().at(0);
  flip(path, (first_record_offset + record_size(300) + 1) * 8);
  cut(path, first_record_offset + 5 * record_size(300) - 100);
  auto reader = SegmentReader::open(files_, path);
  ASSERT_TRUE(reader);
  std::vector<std::pair<SegmentItem::Kind, std::uint64_t>> seen;
  std::uint64_t covered = segment_header_size;
  for (;;) {
    const auto item = reader->next();
    ASSERT_TRUE(item);
    EXPECT_EQ(item->offset, covered);
    covered += item->size;
    seen.emplace_back(item->kind, item->header.id.sequence);
    if (item->kind == SegmentItem::Kind::end) break;
  }
  using Kind = SegmentItem::Kind;
  EXPECT_THAT(seen, ElementsAre(std::pair(Kind::record, 0U), std::pair(Kind::record, 1U), std::pair(Kind::gap, 0U),
                                std::pair(Kind::record, 3U), std::pair(Kind::record, 4U), std::pair(Kind::end, 0U)));
  EXPECT_EQ(covered, reader->file_size());
}

// What the reader has seen as reserved space may hold records when it comes there.
TEST_F(JournalFormatTest, WhatIsAppendedWhileASegmentIsReadIsNoGap) {
  options_.segment_size = 64U << 10U;
  append(1);
  auto reader = SegmentReader::open(files_, segments().at(0));
  ASSERT_TRUE(reader);
  const auto next = [&] {
    const auto item = reader->next();
    return std::pair(item->kind, item->header.id.sequence);
  };
  using Kind = SegmentItem::Kind;
  EXPECT_EQ(next(), std::pair(Kind::record, std::uint64_t{0}));  // the totals before it
  EXPECT_EQ(next(), std::pair(Kind::record, std::uint64_t{1}));
  append(2);
  append(3, 20'000);
  append(4);
  for (std::uint64_t sequence = 2; sequence <= 4; ++sequence) EXPECT_EQ(next(), std::pair(Kind::record, sequence));
  EXPECT_EQ(next().first, Kind::end);
}

TEST_F(JournalFormatTest, SegmentNamesAreReadBack) {
  EXPECT_EQ(segment_name(42), "000000000000002a.segment");
  EXPECT_EQ(parse_segment_name("000000000000002a.segment"), 42U);
  EXPECT_EQ(parse_segment_name("000000000000002A.segment"), std::nullopt);
  EXPECT_EQ(parse_segment_name("2a.segment"), std::nullopt);
}

}  // namespace
}  // namespace arca::journal
