// What the journal makes of files that are cut, flipped, swapped, foreign or from another version.
#include "journal/segment_format.hpp"
#include "journal_fixture.hpp"

namespace arca::journal {
namespace {

class JournalDamageTest : public JournalFixture {
 protected:
  // Three small chunks in one segment, as a crash leaves it.
  std::string three_chunks() {
    options_.segment_size = 8U << 10U;
    for (std::uint64_t i = 1; i <= 3; ++i) append(i, 40 + i);
    crash();
    return segments().at(0);
  }
  static std::uint64_t end_of(std::uint64_t count) {
    std::uint64_t end = first_record_offset;
    for (std::uint64_t i = 1; i <= count; ++i) end += record_size(40 + i);
    return end;
  }
};

TEST_F(JournalDamageTest, CutAtAnyByteItGivesWhatIsWholeAndTakesMore) {
  const std::string path = three_chunks();
  const std::vector<std::byte> whole = files_.contents(path);
  for (std::size_t size = segment_header_size; size <= end_of(3); ++size) {
    files_.set_contents(path, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    std::size_t expected = 0;
    while (expected < 3 && end_of(expected + 1) <= aligned(size)) ++expected;
    // The padding behind a payload may be missing: the record is whole.
    while (expected > 0 && end_of(expected) - (aligned(40 + expected) - (40 + expected)) > size) --expected;
    ASSERT_EQ(contents().size(), expected) << "cut at " << size;
    append(9);
    reopen();
    ASSERT_EQ(contents().size(), expected + 1) << "cut at " << size;
    expect_law();
    journal_.reset();
    for (const std::string& other : files_.paths()) static_cast<void>(files_.remove(other));
  }
}

TEST_F(JournalDamageTest, AFlippedBitCostsAtMostTheRecordThatItHits) {
  const std::string path = three_chunks();
  const std::vector<std::byte> whole = files_.contents(path);
  for (std::size_t bit = 0; bit < end_of(3) * 8; ++bit) {
    files_.set_contents(path, whole);
    flip(path, bit);
    std::vector<std::uint64_t> expected{1, 2, 3};
    for (std::uint64_t i = 1; i <= 3; ++i) {
      if (bit / 8 >= end_of(i - 1) && bit / 8 < end_of(i - 1) + record_header_size + 40 + i) {
        std::erase(expected, i);
      }
    }
    const bool is_version = bit / 8 >= 8 && bit / 8 < 16;
    const Result<void> opened = try_open();
    ASSERT_TRUE(opened) << "bit " << bit << ": " << opened.error().message();
    ASSERT_EQ(contents(), expected) << "bit " << bit << (is_version ? " (version)" : "");
    expect_law();
    if (expected.size() < 3) {
      const JournalDamage damage = journal().damage();
      ASSERT_EQ(damage.skipped_record_count + damage.torn_tail_count, 1U) << "bit " << bit;
    }
    journal_.reset();
    for (const std::string& other : files_.paths()) static_cast<void>(files_.remove(other));
  }
}

TEST_F(JournalDamageTest, AFlippedBitInASegmentClosedInOrderCostsAtMostTheRecordThatItHits) {
  options_.segment_size = 8U << 10U;
  for (std::uint64_t i = 1; i <= 3; ++i) append(i, 40 + i);
  settle(2);
  journal_.reset();
  const std::string path = segments().at(0);
  const std::vector<std::byte> whole = files_.contents(path);
  for (std::size_t byte = 0; byte < whole.size(); byte = byte == 1200 ? whole.size() - 600 : byte + 1) {
    files_.set_contents(path, whole);
    flip(path, byte * 8 + byte % 8);
    std::size_t expected = 2;
    const auto hits = [&](std::uint64_t i) {
      return byte >= end_of(i - 1) && byte < end_of(i - 1) + record_header_size + 40 + i;
    };
    // An intact index still tells where records lie: only the chunk itself is lost.
    if (hits(1) || hits(3)) expected = 1;
    ASSERT_EQ(contents().size(), expected) << "byte " << byte;
    expect_law();
    journal_.reset();
    for (const std::string& other : files_.paths()) static_cast<void>(files_.remove(other));
  }
}

TEST_F(JournalDamageTest, ADamagedRecordIsKeptAsideAndCountedAndEverythingBehindItIsGiven) {
  for (std::uint64_t i = 1; i <= 400; ++i) append(i);
  crash();
  const std::string path = segments().at(10);
  flip(path, (first_record_offset + 20) * 8);  // a header
  EXPECT_EQ(contents().size(), 399U);
  EXPECT_EQ(journal().damage().skipped_record_count, 1U);
  EXPECT_EQ(journal().damage().skipped_bytes, record_size(300));
  EXPECT_EQ(kept_aside().size(), 1U);
  EXPECT_EQ(traces().lost, 10U);
  expect_law();
}

TEST_F(JournalDamageTest, ADamagedPayloadIsLostOnceForEver) {
  for (std::uint64_t i = 1; i <= 40; ++i) append(i);
  journal_.reset();
  flip(segments().at(1), (first_record_offset + record_header_size + 9) * 8);
  EXPECT_EQ(contents().size(), 39U);
  EXPECT_EQ(traces().lost, 10U);
  reopen();
  EXPECT_EQ(contents().size(), 39U);
  EXPECT_EQ(traces().lost, 10U);
  EXPECT_EQ(kept_aside().size(), 1U);
  expect_law();
}

TEST_F(JournalDamageTest, ATornTailIsNotDamage) {
  const std::string path = three_chunks();
  cut(path, end_of(3) - 20);
  EXPECT_THAT(contents(), ElementsAre(1, 2));
  EXPECT_EQ(journal().damage().torn_tail_count, 1U);
  EXPECT_EQ(journal().damage().skipped_record_count, 0U);
  EXPECT_EQ(traces().lost, 0U);
}

TEST_F(JournalDamageTest, AnUnknownVersionIsRefusedAndNothingIsTouched) {
  for (std::uint64_t i = 1; i <= 40; ++i) append(i);
  journal_.reset();
  SegmentHeader header;
  header.version = 2;
  header.writer = writer;
  header.number = 3;
  std::vector<std::byte> bytes = files_.contents(segments().at(2));
  const SegmentHeaderBytes head = encode_segment_header(header);
  std::copy(head.begin(), head.end(), bytes.begin());
  files_.set_contents(segments().at(2), bytes);
  const std::uint64_t before = files_.changing_operation_count();
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::unsupported_version);
  EXPECT_EQ(files_.changing_operation_count(), before);
}

TEST_F(JournalDamageTest, ForeignFilesAreCountedAndLeftAlone) {
  append(1);
  journal_.reset();
  const std::vector<std::byte> text(500, std::byte{'x'});
  files_.set_contents("/state/journal/notes.txt", text);
  files_.set_contents("/state/journal/00000000000000ff.segment", text);
  files_.set_contents("/state/journal/0000000000000000.segment", {});
  files_.set_contents("/state/journal/ffffffffffffffff.segment", text);
  EXPECT_THAT(contents(), ElementsAre(1));
  EXPECT_EQ(journal().damage().foreign_file_count, 4U);
  settle(1);
  for (std::uint64_t i = 2; i <= 50; ++i) append(i);
  EXPECT_EQ(files_.contents("/state/journal/notes.txt"), text);
  EXPECT_EQ(files_.contents("/state/journal/00000000000000ff.segment"), text);
  EXPECT_TRUE(files_.exists("/state/journal/0000000000000000.segment"));
}

TEST_F(JournalDamageTest, SwappedSegmentsAreReadInTheirTrueOrder) {
  for (std::uint64_t i = 1; i <= 40; ++i) append(i);
  for (std::uint64_t i = 1; i <= 40; i += 2) settle(i);
  const auto before = contents();
  journal_.reset();
  const auto first = files_.contents(segments().at(0));
  const auto second = files_.contents(segments().at(1));
  files_.set_contents(segments().at(0), second);
  files_.set_contents(segments().at(1), first);
  EXPECT_EQ(contents(), before);
  expect_law();
}

TEST_F(JournalDamageTest, ASegmentOfAnotherWriterIsLeftAlone) {
  append(1);
  journal_.reset();
  options_.writer = model::WriterId{99};
  EXPECT_THAT(contents(), IsEmpty());
  EXPECT_EQ(journal().damage().foreign_file_count, 1U);
}

TEST_F(JournalDamageTest, AMissingSegmentCostsWhatWasInItAndNoMore) {
  for (std::uint64_t i = 1; i <= 100; ++i) append(i);
  journal_.reset();
  ASSERT_TRUE(files_.remove(segments().at(3)));
  const std::size_t left = contents().size();
  EXPECT_GT(left, 80U);
  EXPECT_EQ(traces().lost, (100 - left) * 10);
  expect_law();
}

TEST_F(JournalDamageTest, ACopyOfARecordInsideAPayloadIsNotTakenForOne) {
  append(1);
  crash();
  const std::vector<std::byte> bytes = files_.contents(segments().at(0));
  model::Chunk chunk = chunk_of(2);
  chunk.payload = model::Payload::copy_of(
      base::Bytes(bytes).subspan(first_record_offset, static_cast<std::size_t>(record_size(300))));
  ASSERT_TRUE(journal().append(chunk));
  crash();
  flip(segments().at(0), (first_record_offset + record_size(300) + 5) * 8);  // the outer header
  EXPECT_THAT(contents(), ElementsAre(1));
}

}  // namespace
}  // namespace arca::journal
