// What the reader holds at once follows from how large the rows are, not from how many there are.
#include "cassandra/parked_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "fakes/fake_clock.hpp"
#include "fakes/fake_cql.hpp"
#include "fakes/fake_parking_store.hpp"

namespace arca::cassandra {
namespace {

using testing::Each;
using testing::Le;

// A trace of so many spans, each of so many bytes; what was asked for is written down.
class TraceOfRows {
 public:
  TraceOfRows(fakes::FakeCql& cql, std::size_t row_count, std::size_t row_size) : left_(row_count) {
    cql.on("traces_overflow", [this, row_size](const Request& request) {
      asked.push_back(request.page_size);
      std::vector<Values> rows(std::min<std::size_t>(request.page_size, left_));
      for (Values& row : rows) row.text(std::string(row_size, 'x'));
      left_ -= rows.size();
      return fakes::FakeCql::rows(std::move(rows),
                                  left_ > 0 ? std::vector<std::byte>{std::byte{1}} : std::vector<std::byte>());
    });
  }
  std::vector<std::uint32_t> asked;

 private:
  std::size_t left_;
};

class ParkedReaderTest : public testing::Test {
 protected:
  std::size_t read() {
    const auto reader = ParkedReader::create(cql_, store_, clock_, {.keyspace = "k"});
    EXPECT_TRUE(reader) << reader.error().message();
    std::size_t count = 0;
    const auto done = (*reader)->read_traces({"00"}, [&](base::Bytes) { return ++count > 0; });
    EXPECT_TRUE(done) << done.error().message();
    return count;
  }
  fakes::FakeClock clock_;
  fakes::FakeCql cql_;
  fakes::FakeParkingStore store_{clock_};
};

TEST_F(ParkedReaderTest, large_rows_come_in_small_pages) {
  TraceOfRows trace(cql_, 300, 100'000);
  EXPECT_EQ(read(), 300U);
  EXPECT_LE(trace.asked.front(), 100U);
  trace.asked.erase(trace.asked.begin());
  EXPECT_THAT(trace.asked, Each(Le(10U)));
}

TEST_F(ParkedReaderTest, small_rows_come_in_large_pages) {
  TraceOfRows trace(cql_, 10'000, 300);
  EXPECT_EQ(read(), 10'000U);
  EXPECT_LE(trace.asked.size(), 5U);
}

}  // namespace
}  // namespace arca::cassandra
