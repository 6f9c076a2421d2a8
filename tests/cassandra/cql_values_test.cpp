// Values, rows and answers: CQL's binary forms by hand-made bytes, and what is read of strange ones.
#include <gmock/gmock.h>

#include "cassandra/cql.hpp"
#include "os/random.hpp"

namespace arca::cassandra {
namespace {

using ::testing::ElementsAre;

std::vector<int> bytes_of(const Values& values, std::size_t index) {
  const Values::View view = values.at(index);
  std::vector<int> bytes;
  for (std::int64_t i = 0; i < view.size; ++i) bytes.push_back(std::to_integer<int>(view.data[i]));
  return bytes;
}

Row::Cell cell_of(const Values& values, std::size_t index = 0) {
  const Values::View view = values.at(index);
  return {view.data, view.size};
}

TEST(ValuesTest, IntegersAreBigEndian) {
  Values values;
  values.boolean(true).tinyint(-2).smallint(0x0102).integer(-1).bigint(0x0102030405060708);
  EXPECT_THAT(bytes_of(values, 0), ElementsAre(1));
  EXPECT_THAT(bytes_of(values, 1), ElementsAre(0xFE));
  EXPECT_THAT(bytes_of(values, 2), ElementsAre(1, 2));
  EXPECT_THAT(bytes_of(values, 3), ElementsAre(255, 255, 255, 255));
  EXPECT_THAT(bytes_of(values, 4), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
  EXPECT_EQ(values.bytes(), 1U + 1 + 2 + 4 + 8);
}

TEST(ValuesTest, ATimestampIsMillisecondsRoundedDownAlsoBefore1970) {
  Values values;
  values.timestamp(base::WallTime(std::chrono::microseconds(1999)))
      .timestamp(base::WallTime(std::chrono::nanoseconds(-1)));
  const Row::Cell cells[] = {cell_of(values, 0), cell_of(values, 1)};
  const Row row(cells, 2);
  EXPECT_EQ(row.bigint(0), 1);
  EXPECT_EQ(row.bigint(1), -1);
  EXPECT_EQ(row.timestamp(0), base::WallTime(std::chrono::milliseconds(1)));
}

TEST(ValuesTest, NullAndUnsetAreNoValues) {
  Values values;
  values.null().unset().text("");
  EXPECT_EQ(values.at(0).size, -1);
  EXPECT_EQ(values.at(1).size, -2);
  EXPECT_EQ(values.at(2).size, 0);
  EXPECT_NE(values.at(2).data, nullptr) << "an empty text is a value";
}

TEST(ValuesTest, ABorrowedBlobIsNotCopiedAndItsOwnerHeld) {
  auto owner = std::make_shared<const std::vector<std::byte>>(1000, std::byte{7});
  const std::weak_ptr<const std::vector<std::byte>> watched = owner;
  const std::byte* const place = owner->data();
  {
    Values values;
    values.borrow(*owner, owner).text(std::string(5000, 'x'));
    owner.reset();
    const Values moved = std::move(values);
    EXPECT_EQ(moved.at(0).data, place);
    EXPECT_EQ(moved.at(0).size, 1000);
    EXPECT_FALSE(watched.expired());
  }
  EXPECT_TRUE(watched.expired());
}

TEST(ValuesTest, CopiedValuesSurviveTheGrowthOfTheirMemory) {
  Values values;
  values.text("first");
  for (int i = 0; i < 1000; ++i) values.text("more and more");
  const Row::Cell cell = cell_of(values);
  EXPECT_EQ(Row(&cell, 1).text(0), "first");
}

TEST(ValuesTest, ASetOfTextsComesBack) {
  Values values;
  values.text_set({"a", "", "long text with \xC3\xA4"}).text_set({});
  const Row::Cell cells[] = {cell_of(values, 0), cell_of(values, 1)};
  const Row row(cells, 2);
  EXPECT_THAT(row.text_set(0), ElementsAre("a", "", "long text with \xC3\xA4"));
  EXPECT_TRUE(row.text_set(1).empty());
}

TEST(RowTest, AnotherSizeGivesNothing) {
  Values values;
  values.integer(5).null();
  const Row::Cell cells[] = {cell_of(values, 0), cell_of(values, 1)};
  const Row row(cells, 2);
  EXPECT_EQ(row.integer(0), 5);
  EXPECT_FALSE(row.bigint(0));
  EXPECT_FALSE(row.smallint(0));
  EXPECT_FALSE(row.tinyint(0));
  EXPECT_FALSE(row.boolean(0));
  EXPECT_FALSE(row.uuid(0));
  EXPECT_FALSE(row.integer(1));
  EXPECT_TRUE(row.is_null(1));
  EXPECT_TRUE(row.is_null(2)) << "past the end";
  EXPECT_TRUE(row.bytes(2).empty());
}

TEST(RowTest, ATornSetGivesNothing) {
  Values values;
  values.text_set({"abc", "def"});
  Row::Cell cell = cell_of(values);
  for (cell.size = 0; cell.size < values.at(0).size; ++cell.size) {
    EXPECT_TRUE(Row(&cell, 1).text_set(0).empty()) << cell.size;
  }
}

TEST(RowTest, ATimeThatNoClockShowsGivesNothing) {
  Values values;
  values.bigint(std::numeric_limits<std::int64_t>::max()).bigint(std::numeric_limits<std::int64_t>::min());
  const Row::Cell cells[] = {cell_of(values, 0), cell_of(values, 1)};
  EXPECT_FALSE(Row(cells, 2).timestamp(0));
  EXPECT_FALSE(Row(cells, 2).timestamp(1));
}

TEST(UuidTest, ItsTextIsReadBack) {
  os::SeededRandom random(7);
  for (int i = 0; i < 100; ++i) {
    const Uuid uuid = random_uuid(random);
    const std::string text = to_string(uuid);
    ASSERT_EQ(text.size(), 36U);
    EXPECT_EQ(text[14], '4') << "version";
    EXPECT_THAT(std::string("89ab"), ::testing::HasSubstr(std::string(1, text[19]))) << "variant";
    EXPECT_EQ(parse_uuid(text), uuid);
  }
  EXPECT_EQ(to_string(*parse_uuid("00112233-4455-6677-8899-AABBCCDDEEFF")), "00112233-4455-6677-8899-aabbccddeeff");
}

TEST(UuidTest, OtherTextIsNone) {
  for (const char* text : {"", "00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeef",
                           "0011223304455-6677-8899-aabbccddeeff", "0011223g-4455-6677-8899-aabbccddeeff"}) {
    EXPECT_FALSE(parse_uuid(text)) << text;
  }
}

}  // namespace
}  // namespace arca::cassandra
