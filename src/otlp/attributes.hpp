// Attributes on the wire: KeyValue and AnyValue with exact sizes, and AttributeList, which keeps the keys of one
// collection unique while its fields stand among others in the writer's buffer. Used by all record writers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "otlp/value.hpp"
#include "otlp/wire_writer.hpp"

namespace arca::otlp {

// Appends a length-delimited AnyValue under `tag`. Values that are not UTF-8 become bytes.
void put_any_field(WireWriter& out, std::uint8_t tag, const AttributeValue& value, std::size_t length_max) noexcept;

// Appends a string field under `tag`; ill-formed parts become U+FFFD. Writes nothing for an empty text.
void put_text_field(WireWriter& out, std::uint8_t tag, std::string_view text) noexcept;

inline constexpr std::size_t key_hash_count = 128;

// The attributes of one span, event, link or record: unique keys, the last value wins, a limit on their number.
// Not thread-safe.
class AttributeList {
 public:
  void reset(const AttributeLimits& limits) noexcept {
    limits_ = limits;
    plain_count_max_ = limits.count_max < inline_count_max ? limits.count_max : inline_count_max;
    if (count_ != 0) clear_heads();
    count_ = 0;
    dropped_count_ = 0;
    if (table_size_ != 0) [[unlikely]]
      clear_table();
  }

  // Appends the attribute as a KeyValue under `tag` (one byte). An earlier value of the same key is overwritten in
  // place or buried; a new key beyond the limit is counted as dropped. An empty key is ignored.
  void set(WireWriter& out, std::uint8_t tag, std::string_view key, const AttributeValue& value) noexcept;

  // The first half of set(), for callers that know which of std::string_view, std::int64_t, bool and double they have:
  // appends a new key with a short value. False: it is not that simple, nothing has been done, and set() must do it.
  // Defined in attributes_hot.hpp.
  template <class Scalar>
  [[nodiscard]] bool add_plain(WireWriter& out, std::uint8_t tag, std::string_view key, Scalar value) noexcept;

  // Finds the attributes again among the fields from `from` to the end, after compact() has moved them.
  void rebuild(WireWriter& out, std::uint8_t tag, std::size_t from) noexcept;

  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint32_t dropped_count() const noexcept { return dropped_count_; }

 private:
  // Up to this many keys stand in short chains, one for each value of a seven-bit hash; with more, a hash table on
  // the heap takes over.
  static constexpr std::size_t inline_count_max = 64;
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t offset = 0;  // 0: empty, as no attribute stands at the beginning of a buffer
  };

  void set_slowly(WireWriter& out, std::uint8_t tag, std::string_view key, const AttributeValue& value) noexcept;
  // By hand, as the compiler takes an instruction that is slow to start.
  void clear_heads() noexcept {
    using Block = std::uint64_t __attribute__((vector_size(16)));
    constexpr Block zeros{};
#pragma GCC unroll 8
    for (std::size_t i = 0; i < key_hash_count; i += sizeof zeros) std::memcpy(&heads_[i], &zeros, sizeof zeros);
  }
  void settle(WireWriter& out, std::string_view key, std::size_t begin) noexcept;
  std::uint32_t* find(const WireWriter& out, std::string_view key, std::size_t hash) noexcept;
  std::uint32_t* find_in_table(const WireWriter& out, std::string_view key) noexcept;
  void insert_inline(std::size_t hash, std::size_t offset, std::uint8_t next) noexcept {
    offsets_[count_] = static_cast<std::uint32_t>(offset);
    next_[count_] = next;
    heads_[hash] = static_cast<std::uint8_t>(++count_);
  }
  void insert(WireWriter& out, std::string_view key, std::size_t hash, std::size_t offset) noexcept;
  bool grow_table(const WireWriter& out) noexcept;
  void insert_in_table(std::uint32_t hash, std::uint32_t offset) noexcept;
  void clear_table() noexcept;
  void set_repaired(WireWriter& out, std::uint8_t tag, std::string_view key, const AttributeValue& value) noexcept;

  AttributeLimits limits_;
  std::size_t plain_count_max_ = 0;  // below it a new key needs neither a limit nor the table
  std::size_t count_ = 0;
  std::uint32_t dropped_count_ = 0;
  std::size_t table_size_ = 0;      // slots in use as a table (a power of two); 0 while the inline scan serves
  std::size_t table_capacity_ = 0;  // slots allocated; kept from record to record
  std::unique_ptr<Slot[]> table_;
  std::array<std::uint8_t, key_hash_count> heads_{};   // by hash: 1 + index of the last such key; 0: there is none
  std::array<std::uint8_t, inline_count_max> next_{};  // by index: 1 + index of the one before with the same hash
  std::array<std::uint32_t, inline_count_max> offsets_{};
};

}  // namespace arca::otlp
