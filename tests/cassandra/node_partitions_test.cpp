// Which partitions a real node gets: a directory for each datacenter, and none that grows without bound.
#include <set>

#include "cassandra/parked_reader.hpp"
#include "cassandra/store_columns.hpp"
#include "node_store.hpp"

namespace arca::cassandra {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::SizeIs;

using PartitionsTest = StoreTest;

// What a quorum of one datacenter has acknowledged may not have come to the other yet: a recoverer there could take a
// segment for whole that is not.
TEST_F(PartitionsTest, EachDatacenterHasADirectoryOfItsOwn) {
  store_->set_datacenter("dc1");
  auto other = std::move(*CqlStore::create(client(), client_keyspace()));
  other->set_datacenter("dc2");
  const SegmentHead head = new_head();
  ASSERT_TRUE(open(head).ok());
  const auto buckets_of = [&](CqlStore& store) {
    return wait_read<std::vector<base::WallTime>>(
               [&](auto done) { store.list_buckets(head.name.shard, std::move(done)); })
        .value;
  };
  EXPECT_THAT(buckets_of(*store_), Contains(head.name.bucket));
  EXPECT_THAT(buckets_of(*other), ::testing::IsEmpty());
  EXPECT_TRUE(entry_of(head.name));
  std::swap(store_, other);
  EXPECT_FALSE(entry_of(head.name));
  const auto listed = wait_read<Page<SegmentEntry>>(
      [&](auto done) { store_->list_segments(head.name.bucket, head.name.shard, {}, std::move(done)); });
  EXPECT_THAT(listed.value.items, ::testing::IsEmpty());
  store_->set_datacenter("dc1");
  EXPECT_FALSE(entry_of(head.name)) << "the first word counts";
}

// Else the partition of a service that all write to would grow without bound; and a question finds them all the same.
TEST_F(PartitionsTest, AServiceAndAnHourOfRejectionsAreSpreadOverPartitions) {
  constexpr int count = 64;
  os::SystemClock clock;
  const SegmentHead head = new_head();
  const base::WallTime now = clock.wall_now();
  const std::string service = "service-" + to_string(random_uuid(os::system_random()));
  for (int i = 0; i < count; ++i) {
    const TraceEntries entries{
        service, bucket_of(now), {{"trace" + std::to_string(i), now, milliseconds(1), "op", 1, 0}}};
    ASSERT_TRUE(wait_done([&](StoreDone done) { store_->put_entries(entries, now_us(), std::move(done)); }).ok());
    const QuarantinedChunk rejected{new_chunk(head, i, 10), 4, "invalid span", now};
    ASSERT_TRUE(wait_done([&](StoreDone done) { store_->put_quarantined(rejected, std::move(done)); }).ok());
  }
  std::set<int> shards;
  for (const auto& part : judged("SELECT DISTINCT service, bucket, shard FROM " + table("overflow_traces"))) {
    if (part.at("service") == service) shards.insert(part.at("shard").get<int>());
  }
  EXPECT_GT(shards.size(), index_shard_count / 2U);
  shards.clear();
  for (const auto& row : judged("SELECT shard, writer FROM " + table("quarantine"))) {
    if (row.at("writer") == static_cast<std::int64_t>(head.writer.value)) shards.insert(row.at("shard").get<int>());
  }
  EXPECT_THAT(shards, SizeIs(quarantine_shard_count));

  ParkedReader::Options options;
  options.keyspace = client_keyspace();
  options.timeout = patience;
  const auto reader = std::move(*ParkedReader::create(client(), *store_, clock, options));
  const auto found = reader->find_traces({.services = {service}, .range = {now - seconds(60), std::nullopt}});
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_THAT(found->traces, SizeIs(count));
  std::size_t rejected_count = 0;
  ASSERT_TRUE(reader->read_quarantine({now - seconds(60), std::nullopt}, [&](const StoredChunk& chunk, const auto&) {
    rejected_count += chunk.id.writer == head.writer ? 1U : 0U;
    return true;
  }));
  EXPECT_EQ(rejected_count, count);
}

}  // namespace
}  // namespace arca::cassandra
