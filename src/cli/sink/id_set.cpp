#include "cli/sink/id_set.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>

namespace arca::cli::sink {

namespace {

constexpr std::size_t huge_page_size = 2 << 20;
constexpr std::size_t slots_initial = 1024;
constexpr std::size_t prefetch_distance = 12;  // about the memory latency, in insertions
constexpr std::size_t duplicates_kept_max = 1000;

std::size_t shard_of(std::uint64_t id) noexcept { return id & 0x3FU; }
std::size_t slot_of(std::uint64_t id, std::size_t slot_count) noexcept { return (id >> 6U) & (slot_count - 1); }

}  // namespace

SlotTable::SlotTable(std::size_t count) : size_(count) {
  const std::size_t bytes = count * sizeof(std::uint64_t);
  const std::size_t alignment = bytes >= huge_page_size ? huge_page_size : sizeof(std::max_align_t);
  void* const memory = std::aligned_alloc(alignment, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  if (bytes >= huge_page_size) madvise(memory, bytes, MADV_HUGEPAGE);
  std::memset(memory, 0, bytes);
  slots_.reset(static_cast<std::uint64_t*>(memory));
}

void SlotTable::Free::operator()(std::uint64_t* slots) const noexcept { std::free(slots); }

std::uint64_t IdSet::insert(std::span<const std::uint64_t> ids) {
  std::uint64_t fresh = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i + prefetch_distance < ids.size()) {
      const std::uint64_t ahead = ids[i + prefetch_distance];
      const Shard& shard = shards_[shard_of(ahead)];
      if (shard.slots.size() != 0) __builtin_prefetch(&shard.slots[slot_of(ahead, shard.slots.size())], 1);
    }
    const std::uint64_t id = ids[i];
    if (id == 0) {
      if (!std::exchange(has_zero_, true)) ++fresh;
      continue;
    }
    Shard& shard = shards_[shard_of(id)];
    if (shard.used * 10 >= shard.slots.size() * 7) grow(shard);
    std::size_t slot = slot_of(id, shard.slots.size());
    while (shard.slots[slot] != 0 && shard.slots[slot] != id) slot = (slot + 1) & (shard.slots.size() - 1);
    if (shard.slots[slot] == id) continue;
    ++fresh;
    if (size_ + fresh > count_max_) {
      overflowed_ = true;  // counted as new, not remembered
      continue;
    }
    shard.slots[slot] = id;
    ++shard.used;
  }
  size_ += fresh;
  return fresh;
}

void IdSet::grow(Shard& shard) {
  const SlotTable old = std::exchange(shard.slots, SlotTable(std::max(slots_initial, shard.slots.size() * 2)));
  for (std::size_t i = 0; i < old.size(); ++i) {
    const std::uint64_t id = old[i];
    if (id == 0) continue;
    std::size_t slot = slot_of(id, shard.slots.size());
    while (shard.slots[slot] != 0) slot = (slot + 1) & (shard.slots.size() - 1);
    shard.slots[slot] = id;
  }
}

void IdSet::clear() { *this = IdSet(count_max_); }

bool SequenceSet::insert(std::int64_t sequence) {
  const std::int64_t number = sequence >> 16;
  if (last_block_ == nullptr || number != last_number_) {
    std::unique_ptr<Block>& block = blocks_[number];
    if (!block) block = std::make_unique<Block>();
    last_block_ = block.get();
    last_number_ = number;
  }
  const auto place = static_cast<std::size_t>(sequence & 0xFFFF);
  std::uint64_t& word = (*last_block_)[place / 64];
  const std::uint64_t bit = 1ULL << (place % 64);
  if ((word & bit) != 0) {
    ++duplicate_count_;
    if (duplicates_.size() < duplicates_kept_max) duplicates_.push_back(sequence);
    return false;
  }
  word |= bit;
  ++size_;
  return true;
}

std::vector<Range> SequenceSet::ranges(std::size_t count_max) const {
  std::vector<std::int64_t> numbers;
  for (const auto& [number, block] : blocks_) numbers.push_back(number);
  std::sort(numbers.begin(), numbers.end());
  std::vector<Range> ranges;
  for (const std::int64_t number : numbers) {
    const Block& block = *blocks_.at(number);
    for (std::size_t word = 0; word < block.size(); ++word) {
      for (std::uint64_t rest = block[word]; rest != 0; rest &= rest - 1) {
        const std::int64_t value = number * 65536 + static_cast<std::int64_t>(word * 64) + std::countr_zero(rest);
        if (!ranges.empty() && ranges.back().second + 1 == value) {
          ranges.back().second = value;
        } else {
          if (ranges.size() == count_max) return ranges;
          ranges.emplace_back(value, value);
        }
      }
    }
  }
  return ranges;
}

std::vector<Range> SequenceSet::missing(std::int64_t from, std::int64_t to, std::size_t count_max) const {
  std::vector<Range> gaps;
  std::int64_t next = from;
  for (const auto& [first, last] : ranges(SIZE_MAX)) {
    if (last < next) continue;
    if (first > to) break;
    if (first > next) {
      if (gaps.size() == count_max) return gaps;
      gaps.emplace_back(next, first - 1);
    }
    next = last + 1;
  }
  if (next <= to && gaps.size() < count_max) gaps.emplace_back(next, to);
  return gaps;
}

void FirstArrivals::note(std::int64_t sequence, std::uint32_t chunk) {
  if (latest_ != nullptr && latest_->chunk == chunk && latest_->last + 1 == sequence) {
    latest_->last = sequence;
  } else {
    latest_ = &runs_.insert_or_assign(sequence, Run{sequence, chunk}).first->second;
  }
}

std::uint32_t FirstArrivals::chunk_of(std::int64_t sequence) const {
  return std::prev(runs_.upper_bound(sequence))->second.chunk;
}

}  // namespace arca::cli::sink
