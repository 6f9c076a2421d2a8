// CqlStore against a real node: what is put is read back, repeated writes are one, and progress never goes back.
#include <gmock/gmock.h>

#include "base/crc32c.hpp"
#include "shared_node.hpp"
#include "support/wait.hpp"

namespace arca::cassandra {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class StoreTest : public NodeTest {
 protected:
  void SetUp() override {
    client_ = connected();
    schema_ = new_keyspace();
    for (const std::string& text : schema_statements(schema_)) {
      const Answer answer = run(*client_, text);
      ASSERT_TRUE(answer.ok()) << text << ": " << answer.message;
    }
    auto store = CqlStore::create(*client_, schema_.keyspace);
    ASSERT_TRUE(store) << store.error().message();
    store_ = std::move(*store);
  }
  void TearDown() override {
    store_.reset();
    if (client_) run(*client_, "DROP KEYSPACE " + schema_.keyspace);
  }

  SegmentHead new_head() {
    SegmentHead head;
    head.opened_at = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
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

  SchemaSettings schema_;
  std::unique_ptr<CqlClient> client_;
  std::unique_ptr<CqlStore> store_;
};

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

}  // namespace
}  // namespace arca::cassandra
