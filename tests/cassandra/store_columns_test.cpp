// Rows that anybody may have written: what is out of range is held within it, or makes the chunk a damaged one.
#include "cassandra/store_columns.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/crc32c.hpp"

namespace arca::cassandra {
namespace {

using Int = std::numeric_limits<std::int32_t>;
using Big = std::numeric_limits<std::int64_t>;

// A row of named values; all others are null.
class NamedRow {
 public:
  explicit NamedRow(std::string_view columns) {
    for (std::size_t begin = 0; begin < columns.size();) {
      const std::size_t end = std::min(columns.find(", ", begin), columns.size());
      places_.emplace(columns.substr(begin, end - begin), places_.size());
      begin = end + 2;
    }
    cells_.resize(places_.size());
  }
  template <class Add>
  NamedRow& set(const std::string& column, Add add) {
    Values& value = values_[column] = Values();
    add(value);
    cells_.at(places_.at(column)) = {value.at(0).data, value.at(0).size};
    return *this;
  }
  NamedRow& integer(const std::string& column, std::int32_t value) {
    return set(column, [value](Values& values) { values.integer(value); });
  }
  NamedRow& bigint(const std::string& column, std::int64_t value) {
    return set(column, [value](Values& values) { values.bigint(value); });
  }
  [[nodiscard]] Row row() const { return {cells_.data(), cells_.size()}; }

 private:
  std::map<std::string, std::size_t, std::less<>> places_;
  std::map<std::string, Values> values_;
  std::vector<Row::Cell> cells_;
};

NamedRow segment_row() {
  NamedRow made(segment_columns);
  made.set("segment", [](Values& values) { values.uuid(Uuid{}); }).bigint("writer", 7);
  return made;
}

TEST(StoreColumnsTest, NumbersOfASegmentAreHeldWithinTheirRange) {
  for (const std::int32_t wild : {Int::min(), -1, 0, positions_max, Int::max()}) {
    SCOPED_TRACE(wild);
    NamedRow row = segment_row();
    for (const char* column : {"chunks", "rows_position", "replay_position"}) row.integer(column, wild);
    for (const char* column : {"spans", "raw_bytes", "quarantined_spans", "replayed_points", "missing"})
      row.bigint(column, wild < 0 ? Big::min() : Big::max());
    row.bigint("opened_at", -9'000'000'000'000);  // 1684
    const auto entry = segment_of(row.row(), {}, 3);
    ASSERT_TRUE(entry);
    for (const std::int32_t position : {entry->summary.chunk_count, entry->rows_position, entry->replay_position}) {
      EXPECT_GE(position, 0);
      EXPECT_LE(position, positions_max);
    }
    EXPECT_LE(entry->summary.item_count[0], static_cast<std::uint64_t>(Big::max()));
    EXPECT_LE(entry->missing.value(), static_cast<std::uint64_t>(Big::max()));
    EXPECT_EQ(entry->head.opened_at, base::WallTime{});
  }
}

TEST(StoreColumnsTest, WhatIsNotThereIsNotThere) {
  const auto entry = segment_of(segment_row().row(), {}, 3);
  ASSERT_TRUE(entry);
  EXPECT_FALSE(entry->sealed_at);
  EXPECT_FALSE(entry->missing);
  EXPECT_FALSE(entry->moved_to);
  EXPECT_TRUE(entry->gaps.ranges().empty());
  EXPECT_TRUE(entry->summary.uncounted.empty());
}

TEST(StoreColumnsTest, AChunkWithLessThanNoItemsIsDamaged) {
  NamedRow row(chunk_columns);
  const std::string payload = "12345";
  row.bigint("writer", 7)
      .bigint("sequence", 1)
      .integer("items", -5)
      .integer("raw_size", 5)
      .integer("checksum", signed_of(base::crc32c(base::as_bytes(payload))))
      .set("signal", [](Values& values) { values.tinyint(0); })
      .set("codec", [](Values& values) { values.tinyint(0); })
      .set("payload", [&](Values& values) { values.blob(base::as_bytes(payload)); });
  EXPECT_EQ(chunk_of(row.row(), 0, 0).item_count, 0U);
  EXPECT_FALSE(unpack(chunk_of(row.row(), 0, 0)));
  row.integer("items", 5);
  EXPECT_TRUE(unpack(chunk_of(row.row(), 0, 0)));
}

}  // namespace
}  // namespace arca::cassandra
