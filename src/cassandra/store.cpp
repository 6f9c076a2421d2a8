#include "cassandra/store.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/crc32c.hpp"
#include "net/gzip.hpp"

namespace arca::cassandra {

base::WallTime bucket_of(base::WallTime time) noexcept {
  return base::WallTime(
      std::chrono::floor<std::chrono::duration<std::int64_t, std::ratio<600>>>(time.time_since_epoch()));
}

std::int16_t shard_of(model::WriterId writer) noexcept {
  // The ids are random, but the high bits of a product depend on all of them, whatever they are.
  static_assert(shard_count == 16);
  return static_cast<std::int16_t>((writer.value * 0x9E3779B97F4A7C15ULL) >> 60U);
}

void ParkingStore::Progress::apply_to(SegmentEntry& entry) const {
  entry.replay_position = position;
  entry.replayed_items = replayed_items;
  entry.quarantined_items = quarantined_items;
  entry.gaps = gaps;
  if (done_at) entry.replayed_at = done_at;
  if (missing) entry.missing = missing;
  if (moved_to) entry.moved_to = moved_to;
}

Result<StoredChunk> pack(const model::Chunk& chunk) {
  const std::size_t raw_size = chunk.payload.size();
  if (raw_size > raw_bytes_max) {
    return failure(ErrorCode::full, fmt::format("chunk {} has {} bytes, of which Cassandra takes {} at most",
                                                to_string(chunk.id), raw_size, raw_bytes_max));
  }
  StoredChunk stored;
  stored.id = chunk.id;
  stored.signal = chunk.signal;
  stored.item_count = chunk.item_count;
  stored.sealed_at = chunk.sealed_at;
  stored.raw_size = static_cast<std::uint32_t>(raw_size);
  auto compressed = net::gzip(chunk.payload);
  if (compressed && compressed->size() < raw_size) {
    stored.codec = Codec::gzip;
    stored.payload = std::make_shared<const std::vector<std::byte>>(std::move(*compressed));
  } else {
    stored.payload = std::make_shared<const std::vector<std::byte>>(chunk.payload.flatten());
  }
  if (stored.payload->size() > stored_bytes_max) {
    return failure(ErrorCode::full, fmt::format("chunk {} has {} bytes packed, of which Cassandra takes {} at most",
                                                to_string(chunk.id), stored.payload->size(), stored_bytes_max));
  }
  stored.checksum = base::crc32c(*stored.payload);
  return stored;
}

Result<model::Chunk> unpack(const StoredChunk& stored) {
  const auto corrupt = [&](std::string_view what) {
    return failure(ErrorCode::corrupt, fmt::format("chunk {} in Cassandra {}", to_string(stored.id), what));
  };
  if (stored.id.writer.value == 0 || stored.id.sequence == 0) return corrupt("has no id");
  if (model::index_of(stored.signal) >= model::signal_count) return corrupt("has an unknown signal");
  if (stored.payload == nullptr) return corrupt("has no payload");
  if (stored.payload->size() > stored_bytes_max || stored.raw_size > raw_bytes_max) return corrupt("is too large");
  if (base::crc32c(*stored.payload) != stored.checksum) return corrupt("does not fit its checksum");

  model::Chunk chunk{stored.id, stored.signal, stored.item_count, stored.sealed_at, {}};
  switch (stored.codec) {
    case Codec::none:
      if (stored.payload->size() != stored.raw_size) return corrupt("has another size than its row says");
      chunk.payload = model::Payload::borrow({*stored.payload}, stored.payload);
      return chunk;
    case Codec::gzip: {
      auto raw = net::gunzip(*stored.payload, stored.raw_size);
      if (!raw || raw->size() != stored.raw_size) return corrupt("cannot be decompressed to what its row says");
      chunk.payload = model::Payload::own(std::move(*raw));
      return chunk;
    }
  }
  return corrupt("has an unknown codec");
}

}  // namespace arca::cassandra
