// What stands in the tables and cannot be so: it is told, kept aside, and does no harm.
#include <limits>

#include "cassandra/parked_fixture.hpp"

namespace arca::cassandra {
namespace {

using ParkedDamageTest = ParkedSourceTest;

TEST_F(ParkedDamageTest, a_damaged_chunk_goes_to_quarantine_with_its_reason_and_blocks_nothing) {
  const SegmentHead head = open(1);
  put(head, 1, 3);
  StoredChunk damaged = pack(chunk_of(head, 4)).value();
  damaged.position = 3;
  damaged.checksum += 1;
  store.put_chunk(head.name, damaged, 1, [](const StoreStatus&) {});
  put(head, 4, chunk_of(head, 5));
  seal(head);
  const auto one = recoverer();
  live(one, 20s);
  EXPECT_TRUE(is_replayed(head));
  EXPECT_EQ(sink.submitted().size(), 4U);
  ASSERT_EQ(store.quarantined().size(), 1U);
  EXPECT_NE(store.quarantined()[0].reason.find("checksum"), std::string::npos);
  EXPECT_EQ(one->source.status().damaged_chunk_count, 1U);
  EXPECT_EQ(entry_of(head).quarantined_items[0], 10U);
  EXPECT_EQ(reports.size(), 1U);
}

TEST_F(ParkedDamageTest, a_head_that_changes_is_told_and_the_segment_is_replayed_as_it_was_first_read) {
  const SegmentHead head = open(1);
  put(head, 1, 40);
  seal(head);
  sink.answer_later();
  const auto one = recoverer();
  live(one, 5s);
  ASSERT_EQ(sink.pending_count(), 4U);
  SegmentHead other = head;
  other.purpose = Purpose::archive;
  other.writer.value = 77;
  store.open_segment(other, [](const StoreStatus&) {});
  live(one, 20s);
  ASSERT_FALSE(reports.empty());
  EXPECT_NE(reports.back().find("has changed"), std::string::npos) << reports.back();
  sink.ack_all(Verdict::delivered);
  sink.answer_at_once(Verdict::delivered);
  live(one, 1min);
  EXPECT_TRUE(everything_arrived());
  EXPECT_TRUE(is_replayed(head));
  EXPECT_EQ(repeated_count(), 0U);
}

TEST_F(ParkedDamageTest, a_chunk_where_no_writer_puts_one_does_no_harm) {
  const SegmentHead head = open(1);
  put(head, 1, 3);
  seal(head);
  put(head, std::numeric_limits<std::int32_t>::max(), chunk_of(head, 4));
  const SegmentHead unsealed = open(2);
  put(unsealed, 1, 2);
  put(unsealed, std::numeric_limits<std::int32_t>::max(), chunk_of(unsealed, 3));
  const auto one = recoverer();
  live(one, 2min);
  EXPECT_EQ(sink.submitted().size(), 5U);
  EXPECT_TRUE(is_replayed(head));
  EXPECT_TRUE(is_replayed(unsealed));
}

}  // namespace
}  // namespace arca::cassandra
