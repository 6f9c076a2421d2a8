// WireWriter: an append-only protobuf writer into a buffer that it owns and reuses. Lengths are computed before
// anything is written, so nothing is moved. Used by the record writers of this floor (spans, log records, metrics).
//
// A record that cannot get memory is refused as a whole: the writer turns `failed`, later puts do nothing that
// matters, and the owner answers with no bytes. Nothing here throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"
#include "base/varint.hpp"
#include "otlp/utf8.hpp"

namespace arca::otlp {

// The wire types of protobuf that OTLP uses.
enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, length = 2, fixed32 = 5 };

// Fields of the same level that were overwritten carry this tag until compact() removes them: a length-delimited
// field number 0, which protobuf forbids, so it cannot be confused with a live field.
inline constexpr std::byte dead_tag{0x02};

// Not thread-safe: one record at a time.
class WireWriter {
 public:
  // Protobuf readers refuse messages of 2 GiB and more; so a record of that size would never be accepted.
  static constexpr std::size_t size_max_default = 0x7FFFFFFFU;
  static constexpr std::size_t size_initial = 1024;

  explicit WireWriter(std::size_t size_max = size_max_default) noexcept : size_max_(size_max) {}
  ~WireWriter() { std::free(begin_); }
  WireWriter(const WireWriter&) = delete;
  WireWriter& operator=(const WireWriter&) = delete;

  // Starts a new record behind `headroom` free bytes, in the same buffer.
  void reset(std::size_t headroom) noexcept {
    at_ = begin_;
    dead_bytes_ = 0;
    failed_ = false;
    if (reserve(headroom)) at_ += headroom;
  }

  // Whether there is room for `size` more bytes already.
  [[nodiscard]] bool has_room(std::size_t size) const noexcept { return size <= static_cast<std::size_t>(end_ - at_); }
  // Makes room for `size` more bytes. False: no memory, the record is refused.
  [[nodiscard]] bool reserve(std::size_t size) noexcept {
    if (has_room(size)) [[likely]]
      return true;
    return grow(size);
  }

  // --- puts. Require: reserve() for at least as many bytes ---------------------------------------
  // Hot code takes the cursor into a local variable, as a store through a byte pointer makes the compiler reload
  // every member, and gives it back with set_cursor().
  [[nodiscard]] std::byte* cursor() noexcept { return at_; }
  void set_cursor(std::byte* at) noexcept { at_ = at; }
  void put_byte(std::byte value) noexcept { *at_++ = value; }
  void put_tag(std::uint8_t value) noexcept { *at_++ = static_cast<std::byte>(value); }
  void put_varint(std::uint64_t value) noexcept { at_ = base::write_varint(at_, value); }
  void put_fixed64(std::uint64_t value) noexcept {
    base::store(at_, value);
    at_ += sizeof value;
  }
  void put_fixed32(std::uint32_t value) noexcept {
    base::store(at_, value);
    at_ += sizeof value;
  }
  // Copies the text and returns whether all of it is ASCII.
  bool put_text(std::string_view text) noexcept {
    const bool ascii = copy_text(at_, text) == 0;
    at_ += text.size();
    return ascii;
  }
  void put_bytes(base::Bytes bytes) noexcept {
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void skip(std::size_t size) noexcept { at_ += size; }

  // --- what has been written ----------------------------------------------------------------------
  // Offsets count from the beginning of the buffer and stay valid when it grows.
  [[nodiscard]] std::size_t offset() const noexcept { return static_cast<std::size_t>(at_ - begin_); }
  [[nodiscard]] std::byte* at(std::size_t offset) noexcept { return begin_ + offset; }
  [[nodiscard]] const std::byte* at(std::size_t offset) const noexcept { return begin_ + offset; }
  [[nodiscard]] base::Bytes bytes_from(std::size_t offset) const noexcept {
    return {begin_ + offset, static_cast<std::size_t>(at_ - begin_) - offset};
  }
  void truncate(std::size_t offset) noexcept { at_ = begin_ + offset; }
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  void fail() noexcept { failed_ = true; }

  // Marks the length-delimited field at `offset` (one-byte tag) as overwritten.
  void bury(std::size_t offset) noexcept;
  // Removes buried fields among the fields from `from` to the end. Cheap when there are none.
  void compact(std::size_t from) noexcept {
    if (dead_bytes_ != 0 && !failed_) [[unlikely]]
      compact_fields(from);
  }
  [[nodiscard]] std::size_t dead_bytes() const noexcept { return dead_bytes_; }

  // Closes a message that began at `body` behind `reserved` bytes kept free for its length: a padded varint that
  // is as wide as the reservation, or, when that is too narrow, the message is moved for a five-byte one.
  void close_padded(std::size_t body, std::size_t reserved) noexcept;

  // Gives memory back if the buffer has grown beyond `capacity_max`, so that one huge record is not paid for
  // ever. Requires: the bytes of the last record are no longer needed.
  void trim(std::size_t capacity_max) noexcept {
    if (capacity() > capacity_max) [[unlikely]]
      give_back();
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return static_cast<std::size_t>(end_ - begin_); }

 private:
  [[gnu::cold]] void give_back() noexcept;
  [[gnu::cold]] bool grow(std::size_t size) noexcept;
  [[gnu::cold]] void compact_fields(std::size_t from) noexcept;

  std::byte* begin_ = nullptr;
  std::byte* at_ = nullptr;
  std::byte* end_ = nullptr;
  std::size_t size_max_;
  std::size_t dead_bytes_ = 0;
  bool failed_ = false;
};

// Size of the field at the front of `fields`, which we wrote ourselves.
std::size_t size_of_own_field(base::Bytes fields) noexcept;

// Calls `visit` with each field (tag included) of a message that we wrote ourselves.
template <class Visit>
void for_each_own_field(base::Bytes fields, Visit visit) {
  while (!fields.empty()) {
    const std::size_t size = size_of_own_field(fields);
    visit(fields.first(size));
    fields = fields.subspan(size);
  }
}

// Size of a length-delimited field with a one-byte tag.
constexpr std::size_t length_field_size(std::size_t body) noexcept {
  return 1 + (body < 0x80U ? 1 : base::varint_size(body)) + body;
}

}  // namespace arca::otlp
