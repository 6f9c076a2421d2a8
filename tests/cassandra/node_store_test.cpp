// CqlStore against a real node: what is put is read back, repeated writes are one, and progress never goes back.
#include "node_store.hpp"

#include <gmock/gmock.h>

#include <array>
#include <deque>
#include <set>

#include "cassandra/store_columns.hpp"
#include "support/wait.hpp"

namespace arca::cassandra {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST_F(StoreTest, AChunkComesBackAsItWasPut) {
  const SegmentHead head = new_head();
  ASSERT_TRUE(open(head).ok());
  const StoredChunk chunk = new_chunk(head, 0, 128 << 10);
  const StoreStatus status = put(head, chunk, now_us());
  ASSERT_TRUE(status.ok()) << status.message;

  const auto read = chunks_from(head.name.id, 0, 10);
  ASSERT_EQ(read.size(), 1U);
  EXPECT_EQ(read[0].position, 0);
  EXPECT_EQ(read[0].id, chunk.id);
  EXPECT_EQ(read[0].signal, chunk.signal);
  EXPECT_EQ(read[0].item_count, chunk.item_count);
  EXPECT_EQ(read[0].sealed_at, chunk.sealed_at);
  EXPECT_EQ(read[0].codec, chunk.codec);
  EXPECT_EQ(read[0].raw_size, chunk.raw_size);
  EXPECT_EQ(read[0].checksum, chunk.checksum);
  EXPECT_EQ(*read[0].payload, *chunk.payload);
}

TEST_F(StoreTest, ChunksComeInTheirOrderFromAPositionOnAndGapsStayGaps) {
  const SegmentHead head = new_head();
  for (const std::int32_t position : {7, 0, 3, 1, 4}) {
    ASSERT_TRUE(put(head, new_chunk(head, position, 100), now_us()).ok());
  }
  const auto positions = [](const std::vector<StoredChunk>& chunks) {
    std::vector<std::int32_t> all;
    for (const StoredChunk& chunk : chunks) all.push_back(chunk.position);
    return all;
  };
  EXPECT_THAT(positions(chunks_from(head.name.id, 0, 10)), ElementsAre(0, 1, 3, 4, 7));
  EXPECT_THAT(positions(chunks_from(head.name.id, 2, 2)), ElementsAre(3, 4));
  EXPECT_THAT(positions(chunks_from(head.name.id, 8, 2)), ElementsAre());
}

TEST_F(StoreTest, ARepeatedPutIsOneChunk) {
  const SegmentHead head = new_head();
  const StoredChunk chunk = new_chunk(head, 0, 1000);
  const std::int64_t at = now_us();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(put(head, chunk, at).ok());
  EXPECT_THAT(chunks_from(head.name.id, 0, 10), SizeIs(1));
  const auto seen = judged("SELECT writetime(payload) AS at, ttl(payload) AS ttl FROM " + table("overflow_chunks") +
                           " WHERE segment = " + to_string(head.name.id));
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].at("at"), at) << "the timestamp of the first attempt";
  EXPECT_GT(seen[0].at("ttl"), 1'209'000);
}

TEST_F(StoreTest, AnOpenSegmentStandsInItsBucketAndInTheDirectory) {
  const SegmentHead head = new_head();
  ASSERT_TRUE(open(head).ok());
  const auto buckets = wait_read<std::vector<base::WallTime>>(
      [&](auto done) { store_->list_buckets(head.name.shard, std::move(done)); });
  EXPECT_THAT(buckets.value, Contains(head.name.bucket));

  const auto entry = entry_of(head.name);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->head.name, head.name);
  EXPECT_EQ(entry->head.writer, head.writer);
  EXPECT_EQ(entry->head.host, head.host);
  EXPECT_EQ(entry->head.opened_at, head.opened_at);
  EXPECT_FALSE(entry->sealed_at);
  EXPECT_FALSE(entry->replayed_at);
  EXPECT_EQ(entry->replay_position, 0);
  EXPECT_EQ(entry->rows_position, 0);
  EXPECT_GT(entry->ttl_left_s, 1'295'000);

  const SegmentName other{head.name.bucket, head.name.shard, random_uuid(os::system_random())};
  EXPECT_FALSE(entry_of(other));
}

TEST_F(StoreTest, ASealedSegmentSaysWhatIsInIt) {
  const SegmentHead head = new_head();
  ASSERT_TRUE(open(head).ok());
  SegmentSummary summary;
  summary.chunk_count = 12;
  summary.item_count = {1, 2, 3'000'000'000ULL};
  summary.raw_bytes = 1ULL << 40U;
  summary.stored_bytes = 1ULL << 38U;
  summary.time_min = head.opened_at - seconds(5);
  summary.services = {"checkout", "payment"};
  summary.uncounted = {{3, model::Signal::metrics, 5}, {7, model::Signal::logs, 1}};
  const base::WallTime at = head.opened_at + seconds(7);
  const auto sealed = wait_done([&](StoreDone done) { store_->seal_segment(head.name, at, summary, std::move(done)); });
  ASSERT_TRUE(sealed.ok()) << sealed.message;

  const auto entry = entry_of(head.name);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->sealed_at, at);
  EXPECT_EQ(entry->head.writer, head.writer);
  EXPECT_EQ(entry->summary.chunk_count, 12);
  EXPECT_EQ(entry->summary.item_count, summary.item_count);
  EXPECT_EQ(entry->summary.raw_bytes, summary.raw_bytes);
  EXPECT_EQ(entry->summary.stored_bytes, summary.stored_bytes);
  EXPECT_EQ(entry->summary.time_min, summary.time_min);
  EXPECT_FALSE(entry->summary.time_max);
  EXPECT_EQ(entry->summary.services, summary.services);
  EXPECT_EQ(entry->summary.uncounted, summary.uncounted);

  // What a later word does not mention is left alone: a null would erase it.
  const SegmentSummary nothing;
  ASSERT_TRUE(wait_done([&](StoreDone done) {
                store_->seal_segment(head.name, at + seconds(1), nothing, std::move(done));
              }).ok());
  EXPECT_EQ(entry_of(head.name)->summary.time_min, summary.time_min);
  EXPECT_EQ(entry_of(head.name)->summary.services, summary.services);
}

TEST_F(StoreTest, TheDirectoryIsReadPageByPage) {
  SegmentHead head = new_head();
  head.name.bucket = base::WallTime(std::chrono::hours(24 * 365 * 40));  // of this test alone
  std::set<Uuid> wanted;
  std::vector<std::future<StoreStatus>> opened;
  while (wanted.size() < 1203) {
    head.name.id = random_uuid(os::system_random());
    const auto promise = std::make_shared<std::promise<StoreStatus>>();
    ASSERT_TRUE(support::wait_until([&] { return client().status().in_flight < 32; }));
    store_->open_segment(head, [promise](StoreStatus status) { promise->set_value(std::move(status)); });
    opened.push_back(promise->get_future());
    wanted.insert(head.name.id);
  }
  for (auto& one : opened) ASSERT_TRUE(one.get().ok());

  std::set<Uuid> found;
  std::vector<std::byte> page;
  int page_count = 0;
  do {
    auto read = wait_read<Page<SegmentEntry>>(
        [&](auto done) { store_->list_segments(head.name.bucket, head.name.shard, page, std::move(done)); });
    ASSERT_TRUE(read.status.ok()) << read.status.message;
    for (const SegmentEntry& entry : read.value.items) EXPECT_TRUE(found.insert(entry.head.name.id).second);
    page = read.value.next;
    ++page_count;
  } while (!page.empty());
  EXPECT_EQ(found, wanted);
  EXPECT_EQ(page_count, 3);
}

TEST_F(StoreTest, ProgressNeverGoesBackWhoeverWritesIt) {
  const SegmentHead head = new_head();
  ASSERT_TRUE(open(head).ok());
  ASSERT_TRUE(mark(head.name, {5, std::nullopt, {1, 0, 0}}).ok());
  ASSERT_TRUE(mark(head.name, {3, std::nullopt, {0, 0, 0}}).ok());  // of somebody who was frozen meanwhile
  auto entry = entry_of(head.name);
  EXPECT_EQ(entry->replay_position, 5);
  EXPECT_EQ(entry->quarantined_items[0], 1U);
  EXPECT_FALSE(entry->replayed_at);

  const base::WallTime end = head.opened_at - std::chrono::hours(1);  // by a clock that was set back
  ASSERT_TRUE(mark(head.name, {9, end, {1, 2, 3}}).ok());
  ASSERT_TRUE(mark(head.name, {9, std::nullopt, {0, 0, 0}}).ok());
  entry = entry_of(head.name);
  EXPECT_EQ(entry->replay_position, 9);
  EXPECT_EQ(entry->replayed_at, end);
  EXPECT_THAT(entry->quarantined_items, ElementsAre(1, 2, 3));
  ASSERT_TRUE(mark(head.name, {10, std::nullopt, {1, 2, 3}}).ok());
  EXPECT_EQ(entry_of(head.name)->replayed_at, end) << "the end is not taken back by who does not speak of it";
}

TEST_F(StoreTest, OfTwoEndsTheOneThatKnewTheSealStaysWhicheverComesLast) {
  const SegmentHead head = new_head();
  ASSERT_TRUE(open(head).ok());
  ParkingStore::Progress early{.position = 9, .done_at = head.opened_at + seconds(9), .replayed_items = {8, 0, 0}};
  early.gaps.add(3, 3);
  ASSERT_TRUE(mark(head.name, early).ok());
  EXPECT_FALSE(entry_of(head.name)->missing);
  EXPECT_EQ(to_text(entry_of(head.name)->gaps), "3");
  ParkingStore::Progress final = early;
  final.done_at = head.opened_at;
  final.gaps = {};
  final.replayed_items = {9, 0, 1};
  final.missing = 0;
  final.moved_to = SegmentName{head.name.bucket + std::chrono::hours(1), head.name.shard, head.name.id};
  ASSERT_TRUE(mark(head.name, final).ok());
  ASSERT_TRUE(mark(head.name, early).ok());
  const auto entry = entry_of(head.name);
  EXPECT_EQ(entry->replayed_at, head.opened_at);
  EXPECT_EQ(entry->missing, 0U);
  EXPECT_EQ(entry->moved_to, final.moved_to);
  EXPECT_THAT(entry->replayed_items, ElementsAre(9, 0, 1));
  EXPECT_EQ(to_text(entry->gaps), "");
}

TEST_F(StoreTest, MarksAndSealTouchOnlyTheirOwnColumns) {
  const SegmentHead head = new_head();
  ASSERT_TRUE(open(head).ok());
  ASSERT_TRUE(wait_done([&](StoreDone done) { store_->mark_rows(head.name, 4, std::move(done)); }).ok());
  ASSERT_TRUE(mark(head.name, {2, std::nullopt, {}}).ok());
  SegmentSummary summary;
  summary.chunk_count = 5;
  ASSERT_TRUE(wait_done([&](StoreDone done) {
                store_->seal_segment(head.name, head.opened_at, summary, std::move(done));
              }).ok());
  const auto entry = entry_of(head.name);
  EXPECT_EQ(entry->rows_position, 4);
  EXPECT_EQ(entry->replay_position, 2);
  EXPECT_EQ(entry->summary.chunk_count, 5);
}

TEST_F(StoreTest, WhatIsLeftOfARowWhoseHeadHasEndedIsNoSegment) {
  const SegmentHead head = new_head();
  ASSERT_TRUE(mark(head.name, {2, std::nullopt, {}}).ok());  // progress alone, as after the TTL of the rest
  EXPECT_FALSE(entry_of(head.name));
}

TEST_F(StoreTest, TheRowsOfATraceAreAsTheSpecificationHasThemAndLargeTracesComeInParts) {
  TraceRows rows;
  rows.trace_id = to_string(random_uuid(os::system_random()));
  const base::WallTime start{std::chrono::milliseconds(1'800'000'000'123)};
  std::deque<std::string> span_ids;
  const std::array<std::byte, 2> data{std::byte{1}, std::byte{2}};
  for (int i = 0; i < 300; ++i) {
    rows.rows.push_back(
        {span_ids.emplace_back("span" + std::to_string(i)), start + milliseconds(i), "checkout", "GET /", data});
  }
  const auto put = wait_done([&](StoreDone done) { store_->put_rows(rows, now_us(), std::move(done)); });
  ASSERT_TRUE(put.ok()) << put.message;
  const auto seen = judged("SELECT * FROM " + table("traces_overflow") + " WHERE trace_id = '" + rows.trace_id + "'");
  ASSERT_EQ(seen.size(), 300U);
  for (const auto& row : seen) {
    if (row.at("span_id") != "span7") continue;
    EXPECT_EQ(row.at("timestamp"), 1'800'000'000'130);
    EXPECT_EQ(row.at("service_name"), "checkout");
    EXPECT_EQ(row.at("operation_name"), "GET /");
    EXPECT_EQ(row.at("trace_data"), "0x0102");
  }
}

TEST_F(StoreTest, TheIndexAndTheNamesAreWritten) {
  TraceEntries entries;
  entries.service = "service-" + to_string(random_uuid(os::system_random()));
  entries.bucket = base::WallTime(std::chrono::hours(480'000));
  for (int i = 0; i < 3; ++i) {
    entries.entries.push_back({"trace" + std::to_string(i), entries.bucket + seconds(i), milliseconds(5), "op", 7, 1});
  }
  ASSERT_TRUE(wait_done([&](StoreDone done) { store_->put_entries(entries, now_us(), std::move(done)); }).ok());
  ASSERT_TRUE(wait_done([&](StoreDone done) { store_->put_names(entries.service, {"a", "b"}, std::move(done)); }).ok());
  const auto seen =
      judged("SELECT trace_id, duration_ns, spans, errors FROM " + table("overflow_traces") + " WHERE service = '" +
             entries.service + "' AND bucket = " + std::to_string(480'000LL * 3'600'000) +
             " AND shard = " + std::to_string(index_shard_of(entries)));
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].at("trace_id"), "trace2") << "newest first";
  EXPECT_EQ(seen[0].at("duration_ns"), 5'000'000);
  EXPECT_EQ(seen[0].at("spans"), 7);
  EXPECT_EQ(seen[0].at("errors"), 1);
  const auto operations = judged("SELECT name FROM " + table("overflow_names") +
                                 " WHERE kind = 'operation' AND service = '" + entries.service + "'");
  EXPECT_EQ(operations.size(), 2U);
  EXPECT_EQ(judged("SELECT name FROM " + table("overflow_names") +
                   " WHERE kind = 'service' AND service = '' AND name = '" + entries.service + "'")
                .size(),
            1U);
}

TEST_F(StoreTest, NothingToWriteIsDoneAtOnce) {
  EXPECT_TRUE(wait_done([&](StoreDone done) { store_->put_rows({"t", {}}, now_us(), std::move(done)); }).ok());
}

TEST_F(StoreTest, AQuarantinedChunkStandsInItsHourOnceHoweverOftenItIsPut) {
  const SegmentHead head = new_head();
  QuarantinedChunk quarantined{new_chunk(head, 0, 300), 4, "invalid span",
                               base::WallTime(std::chrono::hours(100 * 24 + 5))};
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(wait_done([&](StoreDone done) { store_->put_quarantined(quarantined, std::move(done)); }).ok());
  }
  const auto seen = judged("SELECT writer, sequence, at, reason, refused, items, checksum, raw_size FROM " +
                           table("quarantine") + " WHERE hour = " + std::to_string((100LL * 24 + 5) * 3'600'000) +
                           " AND shard = " + std::to_string(quarantine_shard_of(quarantined.chunk.id)) +
                           " AND writer = " + std::to_string(static_cast<std::int64_t>(head.writer.value)));
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].at("sequence"), 1);
  EXPECT_EQ(seen[0].at("reason"), "invalid span");
  EXPECT_EQ(seen[0].at("refused"), 4);
  EXPECT_EQ(seen[0].at("raw_size"), static_cast<std::int32_t>(4'000'000'000U));
}

}  // namespace
}  // namespace arca::cassandra
