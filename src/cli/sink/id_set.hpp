// Sets that remember which ids and which sequences have arrived, built for millions of insertions a second.
// Used by Tally.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace arca::cli::sink {

// Slots of a hash table, zeroed, on huge pages where the kernel gives them: a set of ids is touched at random, so small
// pages would cost a fault for each at first and a TLB miss ever after. Not thread-safe.
class SlotTable {
 public:
  SlotTable() = default;
  explicit SlotTable(std::size_t count);
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  std::uint64_t& operator[](std::size_t slot) noexcept { return slots_.get()[slot]; }
  const std::uint64_t& operator[](std::size_t slot) const noexcept { return slots_.get()[slot]; }

 private:
  struct Free {
    void operator()(std::uint64_t* slots) const noexcept;
  };
  std::unique_ptr<std::uint64_t, Free> slots_;
  std::size_t size_ = 0;
};

// A set of 64-bit ids that are random already (span ids): no hash, open addressing, 64 shards so that
// growing stops nobody for long. Not thread-safe.
class IdSet {
 public:
  explicit IdSet(std::uint64_t count_max) : count_max_(count_max) {}

  // Inserts all; returns how many were new. Slots are fetched ahead, since each one is a cache miss.
  std::uint64_t insert(std::span<const std::uint64_t> ids);
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  // Whether the limit was reached: ids that came later were not remembered.
  [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }
  void clear();

 private:
  struct Shard {
    SlotTable slots;  // 0 is empty; a power of two
    std::uint64_t used = 0;
  };
  static void grow(Shard& shard);

  std::array<Shard, 64> shards_;
  bool has_zero_ = false;
  bool overflowed_ = false;
  std::uint64_t size_ = 0;
  std::uint64_t count_max_;
};

using Range = std::pair<std::int64_t, std::int64_t>;  // both ends included

// A set of integers that mostly come in order: bitmaps of 65,536. Not thread-safe.
class SequenceSet {
 public:
  // Returns whether it was new.
  bool insert(std::int64_t sequence);
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t duplicate_count() const noexcept { return duplicate_count_; }
  // The first thousand that came again, each as often as it did.
  [[nodiscard]] const std::vector<std::int64_t>& duplicates() const noexcept { return duplicates_; }
  // What is there, as maximal ranges in order, at most `count_max` of them.
  [[nodiscard]] std::vector<Range> ranges(std::size_t count_max) const;
  // What is missing between the two ends (both included).
  [[nodiscard]] std::vector<Range> missing(std::int64_t from, std::int64_t to, std::size_t count_max) const;

 private:
  static constexpr std::size_t words_per_block = 1024;
  using Block = std::array<std::uint64_t, words_per_block>;
  std::unordered_map<std::int64_t, std::unique_ptr<Block>> blocks_;
  std::int64_t last_number_ = -1;
  Block* last_block_ = nullptr;
  std::uint64_t size_ = 0;
  std::uint64_t duplicate_count_ = 0;
  std::vector<std::int64_t> duplicates_;
};

// Which chunk each item of a stream first came in. Chunks hold runs of a stream, so runs are what is kept.
// Not thread-safe.
class FirstArrivals {
 public:
  // Requires: `sequence` was not noted before.
  void note(std::int64_t sequence, std::uint32_t chunk);
  // Requires: `sequence` was noted.
  [[nodiscard]] std::uint32_t chunk_of(std::int64_t sequence) const;

 private:
  struct Run {
    std::int64_t last;
    std::uint32_t chunk;
  };
  std::map<std::int64_t, Run> runs_;  // by their first sequence
  Run* latest_ = nullptr;
};

}  // namespace arca::cli::sink
