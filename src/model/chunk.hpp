// Chunk: the unit that is sealed, parked, delivered and acknowledged. Its payload is one complete OTLP
// Export*ServiceRequest; its id never changes, so a duplicate delivery can be named.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "model/signal.hpp"

namespace arca::model {

// One run of one process (after fork: of the child). Random, never 0, never reused.
struct WriterId {
  std::uint64_t value = 0;
  auto operator<=>(const WriterId&) const = default;
};

struct ChunkId {
  WriterId writer;
  std::uint64_t sequence = 0;  // from 1, rising by one for each chunk that the writer seals
  auto operator<=>(const ChunkId&) const = default;
};

std::string to_string(WriterId id);        // 16 lower-case hex digits
std::string to_string(const ChunkId& id);  // "<writer>-<sequence in decimal>"

// Immutable bytes in one or more slices, cheap to copy; keeps alive whatever the slices point into.
// Thread-safe to read and to copy.
class Payload {
 public:
  Payload() = default;
  static Payload copy_of(base::Bytes bytes);
  static Payload own(std::vector<std::byte> bytes);
  // Slices into memory that `owner` keeps alive.
  static Payload borrow(std::vector<base::Bytes> slices, std::shared_ptr<const void> owner);

  [[nodiscard]] std::span<const base::Bytes> slices() const noexcept;
  [[nodiscard]] std::size_t size() const noexcept;  // bytes over all slices
  [[nodiscard]] std::vector<std::byte> flatten() const;

 private:
  struct Body;
  std::shared_ptr<const Body> body_;
};

struct Chunk {
  ChunkId id;
  Signal signal = Signal::traces;
  std::uint32_t item_count = 0;  // spans, log records or data points
  base::WallTime sealed_at;
  Payload payload;
};

}  // namespace arca::model

template <>
struct std::hash<arca::model::ChunkId> {
  std::size_t operator()(const arca::model::ChunkId& id) const noexcept {
    return std::hash<std::uint64_t>()(id.writer.value ^ (id.sequence * 0x9E3779B97F4A7C15ULL));
  }
};
