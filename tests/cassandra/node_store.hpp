// The real store on the shared node, with segments and chunks to put into it. Used by node_store_test.cpp and
// node_partitions_test.cpp.
#pragma once

#include <gmock/gmock.h>

#include "base/crc32c.hpp"
#include "shared_node.hpp"

namespace arca::cassandra {

// One keyspace for the suite: segments, traces and services are each test's own.
class StoreTest : public NodeTest {
 protected:
  static void SetUpTestSuite() {
    world() = std::make_unique<World>();
    world()->client = connected();
    world()->schema = new_keyspace();
    const auto report = apply_schema(*world()->client, world()->schema, patience);
    if (!report) throw std::runtime_error(report.error().message());
  }
  static void TearDownTestSuite() {
    run(*world()->client, "DROP KEYSPACE " + world()->schema.keyspace);
    world().reset();
  }
  void SetUp() override {
    auto store = CqlStore::create(*world()->client, world()->schema.keyspace);
    ASSERT_TRUE(store) << store.error().message();
    store_ = std::move(*store);
  }
  static CqlClient& client() { return *world()->client; }
  static const std::string& client_keyspace() { return world()->schema.keyspace; }
  static std::string table(const std::string& name) { return client_keyspace() + "." + name; }

  SegmentHead new_head() {
    SegmentHead head;
    head.opened_at = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    head.name = {std::chrono::floor<std::chrono::minutes>(head.opened_at), 3, random_uuid(os::system_random())};
    head.writer.value = os::random_from_kernel() | 1ULL << 63U;  // has the bit that CQL takes for a sign
    head.host = "host-1";
    return head;
  }
  static StoredChunk new_chunk(const SegmentHead& head, std::int32_t position, std::size_t size) {
    StoredChunk chunk;
    chunk.position = position;
    chunk.id = {head.writer, static_cast<std::uint64_t>(position) + 1};
    chunk.signal = model::Signal::logs;
    chunk.item_count = 17;
    chunk.sealed_at = head.opened_at + std::chrono::nanoseconds(123'456'789);
    chunk.codec = Codec::gzip;
    chunk.raw_size = 4'000'000'000U;
    std::vector<std::byte> payload(size);
    for (std::size_t i = 0; i < size; ++i)
      payload[i] = static_cast<std::byte>(i * 31 + static_cast<std::size_t>(position));
    chunk.checksum = base::crc32c(payload);
    chunk.payload = std::make_shared<const std::vector<std::byte>>(std::move(payload));
    return chunk;
  }
  static std::int64_t now_us() {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
  StoreStatus open(const SegmentHead& head) {
    return wait_done([&](StoreDone done) { store_->open_segment(head, std::move(done)); });
  }
  StoreStatus put(const SegmentHead& head, const StoredChunk& chunk, std::int64_t at) {
    return wait_done([&](StoreDone done) { store_->put_chunk(head.name, chunk, at, std::move(done)); });
  }
  std::vector<StoredChunk> chunks_from(const Uuid& segment, std::int32_t from, std::uint32_t limit) {
    auto read = wait_read<std::vector<StoredChunk>>(
        [&](auto done) { store_->read_chunks(segment, from, limit, std::move(done)); });
    EXPECT_TRUE(read.status.ok()) << read.status.message;
    return std::move(read.value);
  }

  std::optional<SegmentEntry> entry_of(const SegmentName& name) {
    auto read = wait_read<std::optional<SegmentEntry>>([&](auto done) { store_->read_segment(name, std::move(done)); });
    EXPECT_TRUE(read.status.ok()) << read.status.message;
    return std::move(read.value);
  }
  StoreStatus mark(const SegmentName& name, const ParkingStore::Progress& progress) {
    return wait_done([&](StoreDone done) { store_->mark_replayed(name, progress, std::move(done)); });
  }

  std::unique_ptr<CqlStore> store_;

 private:
  struct World {
    std::unique_ptr<CqlClient> client;
    SchemaSettings schema;
  };
  static std::unique_ptr<World>& world() {
    static std::unique_ptr<World> made;
    return made;
  }
};

}  // namespace arca::cassandra
