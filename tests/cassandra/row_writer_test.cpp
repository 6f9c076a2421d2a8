// The laws of the background rows. The writer has its own thread; the clock is the test's.
#include "cassandra/row_writer.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "fakes/fake_clock.hpp"
#include "fakes/fake_parking_store.hpp"
#include "fakes/fake_source.hpp"
#include "requests.hpp"
#include "support/wait.hpp"

namespace {

using namespace arca;
using namespace std::chrono_literals;
using cassandra::Outcome;
using cassandra::Refusal;
using cassandra::RowWriterOptions;
using fakes::StoreCall;
using support::wait_until;
using Hold = fakes::FakeParkingStore::Hold;

struct Rows {
  explicit Rows(RowWriterOptions options = {}) : writer(std::make_unique<cassandra::RowWriter>(store, clock, options)) {
    cassandra::SegmentHead head;
    head.name = segment;
    store.open_segment(head, [](const cassandra::StoreStatus&) {});
  }

  // Parks a chunk of 3 traces with 4 spans each, and tells the writer.
  void add(std::int32_t position, model::Chunk chunk) {
    auto stored = *cassandra::pack(chunk);
    stored.position = position;
    store.put_chunk(segment, stored, 1, [](const cassandra::StoreStatus&) {});
    writer->add(segment, stored);
  }
  void add(std::int32_t position) {
    const auto first = static_cast<std::uint64_t>(position) * 3 + 1;
    add(position, tests::chunk_of(tests::trace_request({.first_trace = first}), first));
  }
  void end(std::int32_t chunk_count) {
    writer->end(segment, chunk_count, [this] { ended = true; });
  }
  [[nodiscard]] std::int32_t marked() const { return store.segments().at(0).rows_position; }
  // While time goes on.
  bool comes(const std::function<bool()>& condition) {
    return wait_until([&] {
      clock.advance(5ms);
      return condition();
    });
  }

  fakes::FakeClock clock;
  fakes::FakeParkingStore store{clock};
  const cassandra::SegmentName segment{{}, 3, {{std::byte{1}}}};
  std::atomic<bool> ended{false};
  std::unique_ptr<cassandra::RowWriter> writer;
};

TEST(RowWriter, every_span_gets_its_row_and_the_directory_says_when) {
  Rows rows;
  for (std::int32_t i : {2, 0, 1}) rows.add(i);
  rows.end(3);
  ASSERT_TRUE(rows.comes([&] { return rows.ended.load(); }));
  EXPECT_EQ(rows.marked(), 3);
  EXPECT_EQ(rows.store.rows().size(), 36U);
  EXPECT_EQ(rows.writer->status().row_count, 36U);
  EXPECT_EQ(rows.writer->status().pending_chunk_count, 0U);
  EXPECT_EQ(rows.store.names().at("service-0"), (std::set<std::string>{"GET /", "step-2"}));
  std::size_t entry_count = 0;
  for (const auto& partition : rows.store.entries()) entry_count += partition.entries.size();
  EXPECT_EQ(entry_count, 18U);  // 9 traces in two services
}

TEST(RowWriter, the_directory_never_says_more_than_is_acknowledged) {
  Rows rows;
  rows.store.hold(StoreCall::put_rows, Hold::request);
  rows.add(0);
  rows.end(1);
  ASSERT_TRUE(rows.comes([&] { return rows.store.held_count() == 3; }));
  rows.store.deliver();
  rows.store.deliver();
  rows.clock.advance(1h);
  EXPECT_FALSE(wait_until([&] { return rows.ended || rows.store.count(StoreCall::mark_rows) > 0; }, 200ms));
  EXPECT_EQ(rows.writer->status().pending_item_count, 12U);
  rows.store.deliver();
  EXPECT_TRUE(rows.comes([&] { return rows.ended.load(); }));
}

TEST(RowWriter, what_does_not_fit_in_memory_is_read_back) {
  RowWriterOptions options;
  options.memory_max = 0;
  Rows rows(options);
  rows.store.fail_next(StoreCall::read_chunks, 2, {.outcome = Outcome::unknown});
  for (std::int32_t i = 0; i < 5; ++i) rows.add(i);
  rows.end(5);
  ASSERT_TRUE(rows.comes([&] { return rows.ended.load(); }));
  EXPECT_EQ(rows.store.rows().size(), 60U);
  EXPECT_EQ(rows.writer->status().read_back_count, 5U);
  EXPECT_EQ(rows.writer->status().failure_count, 2U);
}

TEST(RowWriter, what_fails_is_tried_for_ever_as_the_same_statement) {
  Rows rows;
  rows.store.fail_always(StoreCall::put_rows, {.outcome = Outcome::unknown, .applied = true, .message = "time-out"});
  rows.add(0);
  rows.end(1);
  ASSERT_TRUE(wait_until([&] {
    rows.clock.advance(1s);
    return rows.store.count(StoreCall::put_rows) > 30;
  }));
  EXPECT_EQ(rows.writer->status().last_error, "time-out");
  rows.clock.jump_wall(1h);
  std::set<std::int64_t> timestamps;
  for (const auto& call : rows.store.calls(StoreCall::put_rows)) timestamps.insert(call.timestamp_us);
  EXPECT_LE(timestamps.size(), 3U);  // one for each of the three traces
  rows.store.heal();
  rows.store.fail_next(StoreCall::mark_rows, 2, {.outcome = Outcome::not_taken});
  EXPECT_TRUE(wait_until([&] {
    rows.clock.advance(1s);
    return rows.ended.load();
  }));
}

TEST(RowWriter, a_missing_table_is_waited_for_and_an_invalid_row_is_not) {
  Rows rows;
  rows.store.fail_next(StoreCall::put_rows, 5, {.outcome = Outcome::refused, .refusal = Refusal::schema});
  rows.add(0);
  rows.end(1);
  ASSERT_TRUE(rows.comes([&] { return rows.ended.load(); }));
  EXPECT_EQ(rows.store.rows().size(), 12U);

  Rows other;
  other.store.fail_next(StoreCall::put_rows, 1, {.outcome = Outcome::refused, .refusal = Refusal::invalid});
  other.add(0);
  other.end(1);
  ASSERT_TRUE(other.comes([&] { return other.ended.load(); }));
  EXPECT_EQ(other.store.rows().size(), 8U);
  EXPECT_EQ(other.writer->status().skipped_item_count, 4U);
}

TEST(RowWriter, the_directory_is_told_at_most_once_a_second_and_at_the_end) {
  Rows rows;
  const base::SteadyTime begin = rows.clock.steady_now();
  for (std::int32_t i = 0; i < 40; ++i) {
    rows.add(i);
    ASSERT_TRUE(wait_until([&] { return rows.writer->status().pending_chunk_count == 0; }));
    rows.clock.advance(100ms);
  }
  rows.end(40);
  ASSERT_TRUE(rows.comes([&] { return rows.ended.load(); }));
  const auto marks = rows.store.calls(StoreCall::mark_rows);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(rows.clock.steady_now() - begin).count();
  EXPECT_GE(marks.size(), 2U);
  EXPECT_LE(static_cast<std::int64_t>(marks.size()), seconds + 2);
  for (std::size_t i = 1; i < marks.size(); ++i) EXPECT_GT(marks[i].position, marks[i - 1].position);
  EXPECT_EQ(marks.back().position, 40);
}

TEST(RowWriter, positions_that_never_came_hold_nothing_up) {
  Rows rows;
  rows.add(1);
  rows.add(3);
  rows.end(5);
  ASSERT_TRUE(rows.comes([&] { return rows.ended.load(); }));
  EXPECT_EQ(rows.marked(), 5);
}

TEST(RowWriter, metrics_and_logs_have_no_rows) {
  Rows rows;
  rows.add(0, fakes::make_chunk(1, model::Signal::metrics));
  rows.add(1, fakes::make_chunk(2, model::Signal::logs));
  rows.end(2);
  ASSERT_TRUE(rows.comes([&] { return rows.ended.load(); }));
  EXPECT_EQ(rows.marked(), 2);
  EXPECT_EQ(rows.store.count(StoreCall::put_rows), 0U);
}

TEST(RowWriter, a_chunk_that_cannot_be_read_is_counted_and_holds_nothing_up) {
  RowWriterOptions options;
  options.memory_max = 0;
  Rows rows(options);
  model::Chunk damaged = fakes::make_chunk(1);
  damaged.payload = model::Payload::copy_of(base::as_bytes("no request"));
  rows.add(0, damaged);
  auto gone = *cassandra::pack(fakes::make_chunk(2));
  gone.position = 7;
  rows.writer->add(rows.segment, gone);  // and nothing in the store
  rows.add(1);
  rows.end(8);
  ASSERT_TRUE(rows.comes([&] { return rows.ended.load(); }));
  EXPECT_EQ(rows.writer->status().skipped_item_count, 20U);
  EXPECT_EQ(rows.store.rows().size(), 12U);
  EXPECT_EQ(rows.marked(), 8);
}

TEST(RowWriter, what_is_too_much_is_left_to_recovery_and_the_directory_does_not_pass_it) {
  RowWriterOptions options;
  options.pending_max = 2;
  Rows rows(options);
  rows.store.set_window(false);  // nothing moves
  for (std::int32_t i = 0; i < 6; ++i) rows.add(i);
  rows.end(6);
  EXPECT_GE(rows.writer->status().left_chunk_count, 3U);
  const auto left = static_cast<std::int32_t>(rows.writer->status().left_chunk_count);
  rows.store.set_window(true);
  ASSERT_TRUE(rows.comes([&] { return rows.ended.load(); }));
  // The first two were taken; which of the others depends on how fast the thread was.
  EXPECT_GE(rows.marked(), 2);
  EXPECT_LE(rows.marked(), 6 - left);
}

TEST(RowWriter, no_more_writes_than_allowed_are_under_way) {
  RowWriterOptions options;
  options.in_flight_max = 4;
  options.in_flight_max_moving = 4;
  Rows rows(options);
  rows.store.hold(Hold::request);
  for (std::int32_t i = 0; i < 5; ++i) rows.add(i);
  ASSERT_TRUE(wait_until([&] { return rows.store.held_count() >= 4 + 5; }));  // the five chunks themselves
  EXPECT_FALSE(wait_until([&] { return rows.store.held_count() > 4 + 5; }, 100ms));
}

TEST(RowWriter, rows_leave_the_server_to_chunks_while_these_come) {
  RowWriterOptions options;
  options.in_flight_max = 8;
  options.in_flight_max_moving = 2;
  Rows rows(options);
  rows.store.hold(Hold::request);
  for (std::int32_t i = 0; i < 5; ++i) rows.add(i);
  ASSERT_TRUE(wait_until([&] { return rows.store.held_count() >= 2 + 5; }));  // the five chunks themselves
  EXPECT_FALSE(wait_until([&] { return rows.store.held_count() > 2 + 5; }, 100ms));
  rows.clock.advance(options.moving_pause);
  EXPECT_TRUE(wait_until([&] { return rows.store.held_count() == 8 + 5; }));
}

TEST(RowWriter, rows_leave_the_server_to_chunks_that_are_read) {
  RowWriterOptions options;
  options.in_flight_max = 8;
  options.in_flight_max_moving = 2;
  Rows rows(options);
  rows.writer->give_way(1h);
  rows.store.hold(Hold::request);
  for (std::int32_t i = 0; i < 5; ++i) rows.add(i);
  ASSERT_TRUE(wait_until([&] { return rows.store.held_count() >= 2 + 5; }));  // the five chunks themselves
  rows.clock.advance(options.moving_pause);
  EXPECT_FALSE(wait_until([&] { return rows.store.held_count() > 2 + 5; }, 100ms));
  rows.clock.advance(1h);
  EXPECT_TRUE(wait_until([&] { return rows.store.held_count() == 8 + 5; }));
}

TEST(RowWriter, rows_wait_while_the_window_is_needed_for_chunks) {
  Rows rows;
  rows.store.set_window(false);
  rows.add(0);
  EXPECT_FALSE(wait_until([&] { return rows.store.count(StoreCall::put_rows) > 0; }, 100ms));
  rows.store.set_window(true);
  EXPECT_TRUE(rows.comes([&] { return rows.store.rows().size() == 12; }));
}

TEST(RowWriter, names_are_written_once_and_again_before_they_end) {
  Rows rows;
  for (std::int32_t i = 0; i < 10; ++i) rows.add(i);
  ASSERT_TRUE(rows.writer->drain(rows.clock.steady_now() + 1h));
  EXPECT_EQ(rows.store.count(StoreCall::put_names), 2U);  // two services
  rows.clock.advance(2h);
  rows.add(10);
  ASSERT_TRUE(rows.writer->drain(rows.clock.steady_now() + 1h));
  EXPECT_EQ(rows.store.count(StoreCall::put_names), 4U);
}

TEST(RowWriter, rows_keep_to_their_rate) {
  RowWriterOptions options;
  options.rows_per_second = 40;
  Rows rows(options);
  const base::SteadyTime begin = rows.clock.steady_now();
  for (std::int32_t i = 0; i < 10; ++i) rows.add(i);
  ASSERT_TRUE(rows.comes([&] { return rows.store.rows().size() == 120; }));
  EXPECT_GE(rows.clock.steady_now() - begin, 2700ms);  // 3 s, but for the burst and the last batch
}

TEST(RowWriter, it_stops_at_once_and_answers_may_come_later) {
  Rows rows;
  rows.store.hold(StoreCall::put_rows, Hold::request);
  for (std::int32_t i = 0; i < 10; ++i) rows.add(i);
  ASSERT_TRUE(wait_until([&] { return rows.store.held_count() > 3; }));
  EXPECT_FALSE(rows.writer->drain(rows.clock.steady_now()));
  rows.writer.reset();
  rows.store.deliver_all();
  EXPECT_EQ(rows.store.count(StoreCall::mark_rows), 0U);
}

}  // namespace
