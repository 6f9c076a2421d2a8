// Packing, unpacking, buckets and shards.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "cassandra/store.hpp"
#include "fakes/fake_source.hpp"
#include "requests.hpp"

namespace {

using namespace arca;
using cassandra::StoredChunk;

StoredChunk packed(const model::Chunk& chunk) {
  auto stored = cassandra::pack(chunk);
  EXPECT_TRUE(stored) << stored.error().message();
  return *stored;
}

model::Chunk random_chunk(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  model::Chunk chunk = fakes::make_chunk(3);
  chunk.payload = model::Payload::own(std::move(bytes));
  return chunk;
}

TEST(ParkingStore, a_chunk_is_unpacked_as_it_was_packed) {
  const model::Chunk chunk = tests::chunk_of(tests::trace_request({.trace_count = 50}), 42);
  const StoredChunk stored = packed(chunk);
  EXPECT_EQ(stored.codec, cassandra::Codec::gzip);
  EXPECT_LT(stored.payload->size(), chunk.payload.size());
  const auto back = cassandra::unpack(stored);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->id, chunk.id);
  EXPECT_EQ(back->signal, chunk.signal);
  EXPECT_EQ(back->item_count, chunk.item_count);
  EXPECT_EQ(back->sealed_at, chunk.sealed_at);
  EXPECT_EQ(back->payload.flatten(), chunk.payload.flatten());
}

TEST(ParkingStore, what_does_not_get_smaller_is_stored_as_it_is) {
  const model::Chunk chunk = random_chunk(10'000, 1);
  const StoredChunk stored = packed(chunk);
  EXPECT_EQ(stored.codec, cassandra::Codec::none);
  EXPECT_EQ(cassandra::unpack(stored)->payload.flatten(), chunk.payload.flatten());
}

TEST(ParkingStore, an_empty_chunk_is_packed_and_unpacked) {
  model::Chunk chunk = fakes::make_chunk(1);
  chunk.payload = model::Payload();
  EXPECT_EQ(cassandra::unpack(packed(chunk))->payload.size(), 0U);
}

TEST(ParkingStore, a_chunk_larger_than_a_row_may_be_is_an_error) {
  const auto stored = cassandra::pack(random_chunk(cassandra::stored_bytes_max + 1, 2));
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code(), ErrorCode::full);
}

TEST(ParkingStore, no_damage_is_taken_for_a_chunk) {
  const StoredChunk good = packed(tests::chunk_of(tests::trace_request(), 42));
  const auto damaged = [&](auto damage) {
    StoredChunk bad = good;
    damage(bad);
    const auto back = cassandra::unpack(bad);
    return !back && back.error().code() == ErrorCode::corrupt;
  };
  EXPECT_TRUE(damaged([](StoredChunk& bad) { ++bad.checksum; }));
  EXPECT_TRUE(damaged([](StoredChunk& bad) { ++bad.raw_size; }));
  EXPECT_TRUE(damaged([](StoredChunk& bad) { --bad.raw_size; }));
  EXPECT_TRUE(damaged([](StoredChunk& bad) { bad.raw_size = 0xFFFFFFFF; }));
  EXPECT_TRUE(damaged([](StoredChunk& bad) { bad.codec = static_cast<cassandra::Codec>(7); }));
  EXPECT_TRUE(damaged([](StoredChunk& bad) { bad.codec = cassandra::Codec::none; }));
  EXPECT_TRUE(damaged([](StoredChunk& bad) { bad.signal = static_cast<model::Signal>(9); }));
  EXPECT_TRUE(damaged([](StoredChunk& bad) { bad.payload = nullptr; }));
  EXPECT_TRUE(damaged([](StoredChunk& bad) { bad.id.sequence = 0; }));
  EXPECT_TRUE(damaged([](StoredChunk& bad) { bad.id.writer.value = 0; }));
}

TEST(ParkingStore, every_flipped_bit_of_a_payload_is_found) {
  const StoredChunk good = packed(tests::chunk_of(tests::trace_request({.trace_count = 1}), 42));
  for (std::size_t bit = 0; bit < good.payload->size() * 8; ++bit) {
    StoredChunk bad = good;
    auto bytes = *good.payload;
    bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    bad.payload = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
    ASSERT_FALSE(cassandra::unpack(bad)) << bit;
  }
}

TEST(ParkingStore, a_bucket_is_the_ten_minutes_that_a_time_lies_in) {
  using std::chrono::minutes;
  const base::WallTime ten{minutes(10)};
  EXPECT_EQ(cassandra::bucket_of(ten), ten);
  EXPECT_EQ(cassandra::bucket_of(ten + minutes(9)), ten);
  EXPECT_EQ(cassandra::bucket_of(ten - base::Duration(1)), base::WallTime());
  EXPECT_EQ(cassandra::bucket_of(base::WallTime(base::Duration(-1))), base::WallTime(minutes(-10)));
}

TEST(ParkingStore, writers_are_spread_over_all_shards) {
  std::set<std::int16_t> shards;
  for (std::uint64_t writer = 1; writer < 1000; ++writer) {
    const std::int16_t shard = cassandra::shard_of(model::WriterId{writer});
    ASSERT_GE(shard, 0);
    ASSERT_LT(shard, cassandra::shard_count);
    shards.insert(shard);
  }
  EXPECT_EQ(shards.size(), 16U);
}

}  // namespace
