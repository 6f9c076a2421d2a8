#include "cassandra/row_scanner.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "cassandra/requests.hpp"
#include "fakes/fake_clock.hpp"
#include "fakes/fake_cql.hpp"
#include "fakes/fake_sink.hpp"
#include "flow/dispatcher.hpp"

namespace arca::cassandra {
namespace {

using namespace std::chrono_literals;
using fakes::FakeCql;
using fakes::FakeSink;
using model::Verdict;

// Two tables: traces_overflow by token, row_scans by range. Tokens are given by the test.
class RowScannerTest : public testing::Test {
 protected:
  struct KeptRow {
    std::string trace_id;
    std::string span_id;
    std::string data;
  };
  struct KeptRange {
    std::int64_t token = 0;
    std::int64_t rows = 0;
    bool is_done = false;
  };

  RowScannerTest() {
    sink.answer_at_once(Verdict::delivered);
    cql.on("FROM space.row_scans", [this](const Request&) {
      if (failures > 0 && failures-- > 0) return FakeCql::failed(Outcome::unknown, "no answer");
      std::vector<Values> all;
      for (const auto& [number, range] : ranges) {
        Values row;
        row.integer(static_cast<std::int32_t>(number)).bigint(range.token).bigint(range.rows);
        range.is_done ? row.timestamp(clock.wall_now()) : row.null();
        all.push_back(std::move(row));
      }
      return FakeCql::rows(std::move(all));
    });
    cql.on("INSERT INTO space.row_scans", [this](const Request& request) {
      if (failures > 0 && failures-- > 0) return FakeCql::failed(Outcome::not_taken, "overloaded");
      KeptRange& range = ranges[static_cast<std::uint32_t>(number_at(request, 1, 4))];
      range.token = number_at(request, 2, 8);
      range.rows = number_at(request, 3, 8);
      range.is_done = range.is_done || request.values.at(4).size == 8;
      return FakeCql::rows({});
    });
    cql.on("FROM space.traces_overflow", [this](const Request& request) { return page(request); });
  }

  static std::int64_t number_at(const Request& request, std::size_t index, int size) {
    const Values::View view = request.values.at(index);
    std::uint64_t value = 0;
    for (int i = 0; i < size; ++i) value = value << 8U | std::to_integer<std::uint64_t>(view.data[i]);
    return size == 4 ? static_cast<std::int32_t>(value) : static_cast<std::int64_t>(value);
  }
  Answer page(const Request& request) {
    ++page_count;
    if (failures > 0 && failures-- > 0) return FakeCql::failed(Outcome::unknown, "no answer");
    std::size_t skip = 0;  // the paging state is how many rows were given before
    for (const std::byte byte : request.paging_state) skip = skip << 8U | std::to_integer<std::size_t>(byte);
    const std::size_t next_skip = skip + request.page_size;
    std::vector<Values> found;
    bool has_more = false;
    const std::int64_t last = number_at(request, 1, 8);
    for (auto at = rows.upper_bound(number_at(request, 0, 8)); at != rows.end() && at->first <= last; ++at) {
      if (skip > 0) {
        --skip;
        continue;
      }
      if (found.size() == request.page_size) {
        has_more = true;
        break;
      }
      Values row;
      row.bigint(at->first).text(at->second.trace_id).text(at->second.span_id).blob(base::as_bytes(at->second.data));
      found.push_back(std::move(row));
    }
    std::size_t bytes = 0;
    for (const Values& row : found) bytes += row.bytes();
    if (found.size() > 1 && bytes > page_bytes_max) return FakeCql::failed(Outcome::unknown, "no answer in time");
    std::vector<std::byte> next;
    if (has_more) next = {static_cast<std::byte>(next_skip >> 8U), static_cast<std::byte>(next_skip & 0xFFU)};
    return FakeCql::rows(std::move(found), std::move(next));
  }

  // A row as Arca writes it: one TracesData with one span. Its size is that of the text.
  void put_row(std::int64_t token, std::uint64_t number, std::size_t size = 100) {
    const auto request = tests::trace_request(
        {.trace_count = 1, .spans_per_trace = 1, .first_trace = number, .text_size = size, .resource_text_size = size});
    rows.emplace(token, KeptRow{std::to_string(number), std::to_string(number), request.SerializeAsString()});
    numbers.insert(number);
  }
  void put_foreign(std::int64_t token, std::string data) { rows.emplace(token, KeptRow{"t", "s", std::move(data)}); }

  RowScannerOptions options() {
    RowScannerOptions made;
    made.keyspace = "space";
    made.writer = model::WriterId{99};
    made.range_count = 16;
    made.page_size = 7;
    made.chunk_size = 2000;
    made.progress_interval = 0s;
    made.report = [this](const Error& error) { reports.push_back(error.message()); };
    return made;
  }
  // Runs a scan for so many turns.
  RowScannerStatus scan(int turns, RowScannerOptions made) {
    auto scanner = RowScanner::create(cql, clock, std::move(made)).value();
    flow::DispatcherOptions dispatching;
    dispatching.in_flight_max = 2;
    flow::Dispatcher dispatcher(*scanner, sink, clock, dispatching);
    for (int i = 0; i < turns && !scanner->is_drained(); ++i) {
      scanner->tend(clock.steady_now());
      dispatcher.step(clock.steady_now());
      clock.advance(100ms);
    }
    drained = scanner->is_drained();
    return scanner->status();
  }
  RowScannerStatus scan(int turns = 10'000) { return scan(turns, options()); }

  // The spans that arrived, by the number of their row.
  std::map<std::uint64_t, int> arrived() {
    std::map<std::uint64_t, int> counts;
    for (const model::Chunk& chunk : sink.submitted()) {
      tests::TraceRequest request;
      const std::vector<std::byte> bytes = chunk.payload.flatten();
      EXPECT_TRUE(request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
      std::uint32_t spans = 0;
      for (const auto& resource : request.resource_spans())
        for (const auto& scope : resource.scope_spans())
          for (const auto& span : scope.spans()) {
            ++spans;
            std::uint64_t number = 0;
            for (std::size_t i = 8; i < 16; ++i) number = number << 8U | static_cast<unsigned char>(span.trace_id()[i]);
            ++counts[number];
          }
      EXPECT_EQ(spans, chunk.item_count);
    }
    return counts;
  }

  fakes::FakeClock clock;
  FakeCql cql;
  FakeSink sink;
  std::multimap<std::int64_t, KeptRow> rows;
  std::map<std::uint32_t, KeptRange> ranges;
  std::set<std::uint64_t> numbers;
  std::vector<std::string> reports;
  int failures = 0;
  int page_count = 0;
  std::size_t page_bytes_max = SIZE_MAX;  // a larger page does not come in time
  bool drained = false;
};

constexpr std::int64_t spread = std::numeric_limits<std::int64_t>::max() / 100;

TEST_F(RowScannerTest, the_ranges_cover_every_token_once) {
  for (const std::uint32_t count : {1U, 3U, 16U, 1024U}) {
    EXPECT_EQ(token_range(0, count).first, std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(token_range(count - 1, count).last, std::numeric_limits<std::int64_t>::max());
    for (std::uint32_t i = 1; i < count; ++i) {
      EXPECT_EQ(token_range(i, count).first, token_range(i - 1, count).last);
      EXPECT_LT(token_range(i, count).first, token_range(i, count).last);
    }
  }
}

TEST_F(RowScannerTest, every_row_arrives_once_joined_to_chunks) {
  for (std::uint64_t i = 1; i <= 200; ++i) put_row((static_cast<std::int64_t>(i) - 100) * spread, i);
  const RowScannerStatus status = scan();
  EXPECT_TRUE(drained);
  EXPECT_EQ(status.row_count, 200U);
  EXPECT_EQ(status.span_count, 200U);
  EXPECT_EQ(status.ranges_done, 16U);
  const auto counts = arrived();
  EXPECT_EQ(counts.size(), 200U);
  for (const auto& [number, count] : counts) EXPECT_EQ(count, 1) << number;
  EXPECT_LT(sink.submitted().size(), 150U);
  for (const model::Chunk& chunk : sink.submitted()) {
    EXPECT_LE(chunk.payload.size(), 2000U);
    EXPECT_EQ(chunk.id.writer, model::WriterId{99});
  }
}

TEST_F(RowScannerTest, a_row_larger_than_a_chunk_is_a_chunk_of_its_own) {
  put_row(1, 1, 5000);
  put_row(2, 2);
  scan();
  EXPECT_TRUE(drained);
  EXPECT_EQ(arrived().size(), 2U);
}

TEST_F(RowScannerTest, rows_too_large_for_a_page_to_come_in_time_are_read_in_smaller_pages) {
  for (std::uint64_t i = 1; i <= 40; ++i) put_row(static_cast<std::int64_t>(i), i, i <= 20 ? 3000 : 100);
  page_bytes_max = 10'000;
  const RowScannerStatus status = scan();
  EXPECT_TRUE(drained);
  EXPECT_EQ(status.row_count, 40U);
  EXPECT_EQ(arrived().size(), 40U);
  page_bytes_max = 10;  // every one is too large
  RowScannerOptions again = options();
  again.scan = "again";
  ranges.clear();
  scan(10'000, again);
  EXPECT_TRUE(drained);
}

TEST_F(RowScannerTest, a_row_that_is_no_otlp_is_counted_kept_and_shown_and_not_guessed_at) {
  put_row(10, 1);
  put_foreign(20, R"({"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"json"})");
  put_foreign(30, "");
  put_foreign(40, std::string("\x00\x01garbage", 9));
  put_row(50, 2);
  const RowScannerStatus status = scan();
  EXPECT_TRUE(drained);
  EXPECT_EQ(status.foreign_row_count, 3U);
  EXPECT_NE(status.foreign_example.find("trace_id t, span_id s"), std::string::npos);
  EXPECT_EQ(reports.size(), 1U);
  EXPECT_EQ(arrived().size(), 2U);
  EXPECT_EQ(rows.size(), 5U);
}

TEST_F(RowScannerTest, a_scan_that_was_broken_off_goes_on_where_it_was) {
  for (std::uint64_t i = 1; i <= 300; ++i) put_row((static_cast<std::int64_t>(i % 190) - 95) * spread, i);
  int lives = 0;
  for (drained = false; !drained && lives < 1000; ++lives) scan(12);
  EXPECT_TRUE(drained);
  EXPECT_GT(lives, 5);
  const auto counts = arrived();
  EXPECT_EQ(counts.size(), 300U);
  std::size_t repeated = 0;
  for (const auto& [number, count] : counts) repeated += static_cast<std::size_t>(count) - 1;
  EXPECT_LE(repeated, static_cast<std::size_t>(lives) * 30);  // what was in flight, and rows of one token
  // Done is done.
  const std::size_t before = sink.submitted().size();
  scan();
  EXPECT_TRUE(drained);
  EXPECT_EQ(sink.submitted().size(), before);
}

TEST_F(RowScannerTest, rows_of_one_token_are_not_torn_by_the_progress) {
  for (std::uint64_t i = 1; i <= 40; ++i) put_row(5, i);  // a trace of many spans, over many chunks
  sink.answer_by([](const model::Chunk& chunk) -> std::optional<model::Ack> {
    if (chunk.id.sequence > 3) return std::nullopt;
    return FakeSink::make(chunk.id, Verdict::delivered);
  });
  scan(50);
  EXPECT_FALSE(drained);
  for (const auto& [number, range] : ranges)
    EXPECT_LT(range.token, number == 8 ? 5 : std::numeric_limits<std::int64_t>::max());
  sink.answer_at_once(Verdict::delivered);
  scan();
  EXPECT_TRUE(drained);
  EXPECT_EQ(arrived().size(), 40U);
}

TEST_F(RowScannerTest, it_reads_no_further_than_it_may_while_nobody_takes_its_chunks) {
  for (std::uint64_t i = 1; i <= 200; ++i) put_row((static_cast<std::int64_t>(i) - 100) * spread, i);
  sink.answer_later();
  RowScannerOptions small = options();
  small.read_ahead_chunks = 3;
  const RowScannerStatus status = scan(500, small);
  EXPECT_LE(status.chunk_count, 3U + 7U);  // and what one page makes
  EXPECT_EQ(sink.pending_count(), 2U);
}

TEST_F(RowScannerTest, failed_answers_are_asked_for_again_and_nothing_is_left_out) {
  for (std::uint64_t i = 1; i <= 100; ++i) put_row((static_cast<std::int64_t>(i) - 50) * spread, i);
  int turn = 0;
  sink.answer_by([&turn](const model::Chunk& chunk) {
    return FakeSink::make(chunk.id, ++turn % 3 == 0 ? Verdict::retry : Verdict::delivered);
  });
  failures = 20;
  scan(100'000);
  EXPECT_TRUE(drained);
  EXPECT_EQ(arrived().size(), 100U);
}

}  // namespace
}  // namespace arca::cassandra
