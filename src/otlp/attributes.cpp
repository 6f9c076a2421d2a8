#include "otlp/attributes.hpp"

#include <algorithm>
#include <bit>
#include <new>

#include "otlp/any_value.hpp"
#include "otlp/attributes_hot.hpp"
#include "otlp/fields.hpp"

namespace arca::otlp {

namespace any_value {

std::size_t size_of_rare(const AttributeValue& value, std::size_t length_max) noexcept {
  return std::visit([&](const auto& alternative) { return size_of(alternative, length_max); }, value);
}
std::byte* put_rare(std::byte* to, const AttributeValue& value, std::size_t length_max) noexcept {
  return std::visit([&](const auto& alternative) { return put(to, alternative, length_max); }, value);
}

}  // namespace any_value

void put_any_field(WireWriter& out, std::uint8_t tag, const AttributeValue& value, std::size_t length_max) noexcept {
  const std::size_t size = any_value::size_of(value, length_max);
  if (!out.reserve(length_field_size(size))) return;
  out.put_tag(tag);
  out.put_varint(size);
  out.set_cursor(any_value::put(out.cursor(), value, length_max));
}

namespace {

[[gnu::cold, gnu::noinline]] void put_repaired_text(WireWriter& out, std::uint8_t tag, std::string_view text) noexcept {
  try {
    put_text_field(out, tag, replace_ill_formed(text));
  } catch (const std::bad_alloc&) {
    out.fail();
  }
}

}  // namespace

void put_text_field(WireWriter& out, std::uint8_t tag, std::string_view text) noexcept {
  if (text.empty() || !out.reserve(length_field_size(text.size()))) return;
  std::byte* at = out.cursor();
  if (text.size() < 0x80U) [[likely]] {
    base::store(at, static_cast<std::uint16_t>(tag | text.size() << 8U));
    at += 2;
  } else {
    at = base::write_varint(any_value::put_tag(at, tag), text.size());
  }
  if (copy_text(at, text) != 0 && !is_utf8(text)) [[unlikely]]
    return put_repaired_text(out, tag, text);
  out.set_cursor(at + text.size());
}

namespace {

// Whole-key hash (FNV-1a): the table must hold up against keys that differ in one place only.
std::uint32_t table_hash(std::string_view key) noexcept {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return static_cast<std::uint32_t>(hash ^ (hash >> 32U));
}

// The key of the KeyValue field at `offset`, which we wrote ourselves.
std::string_view key_at(const WireWriter& out, std::size_t offset) noexcept {
  const std::byte* at = out.at(offset) + 1;
  while ((*at++ & std::byte{0x80}) != std::byte{0}) {
  }
  ++at;  // tag of the key
  base::Bytes rest = out.bytes_from(static_cast<std::size_t>(at - out.at(0)));
  const std::size_t size = base::read_varint(rest).value_or(0);
  return base::as_text(rest.first(size));
}

// Appends one KeyValue. False: the key is not UTF-8 and nothing has been written.
bool put_attribute(WireWriter& out, std::uint8_t tag, std::string_view key, const AttributeValue& value,
                   std::size_t length_max) noexcept {
  const std::size_t value_size = any_value::size_of(value, length_max);
  const std::size_t pair_size = length_field_size(key.size()) + length_field_size(value_size);
  if (!out.reserve(length_field_size(pair_size))) return true;
  std::byte* at = base::write_varint(any_value::put_tag(out.cursor(), tag), pair_size);
  at = base::write_varint(any_value::put_tag(at, tags::pair_key), key.size());
  if (copy_text(at, key) != 0 && !is_utf8(key)) return false;
  at = base::write_varint(any_value::put_tag(at + key.size(), tags::pair_value), value_size);
  out.set_cursor(any_value::put(at, value, length_max));
  return true;
}

}  // namespace

std::uint32_t* AttributeList::find(const WireWriter& out, std::string_view key, std::size_t hash) noexcept {
  if (table_size_ != 0) [[unlikely]]
    return find_in_table(out, key);
  for (std::size_t i = heads_[hash]; i != 0; i = next_[i - 1]) {
    if (key_at(out, offsets_[i - 1]) == key) return &offsets_[i - 1];
  }
  return nullptr;
}

void AttributeList::insert(WireWriter& out, std::string_view key, std::size_t hash, std::size_t offset) noexcept {
  if (count_ < inline_count_max) return insert_inline(hash, offset, heads_[hash]);
  if (2 * (count_ + 1) > table_size_ && !grow_table(out)) return out.fail();
  insert_in_table(table_hash(key), static_cast<std::uint32_t>(offset));
  ++count_;
}

void AttributeList::set(WireWriter& out, std::uint8_t tag, std::string_view key, const AttributeValue& value) noexcept {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    if (add_plain(out, tag, key, *text)) return;
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    if (add_plain(out, tag, key, *number)) return;
  }
  set_slowly(out, tag, key, value);
}

void AttributeList::set_slowly(WireWriter& out, std::uint8_t tag, std::string_view key,
                               const AttributeValue& value) noexcept {
  if (key.empty()) return;
  if (count_ >= limits_.count_max) {
    if (!is_utf8(key)) return set_repaired(out, tag, key, value);
    if (find(out, key, key_hash(key)) == nullptr) {
      ++dropped_count_;
      return;
    }
  }
  const std::size_t begin = out.offset();
  if (!put_attribute(out, tag, key, value, limits_.value_length_max)) return set_repaired(out, tag, key, value);
  if (!out.failed()) settle(out, key, begin);
}

// The attribute of this key has just been written from `begin` to the end: it stays there, or takes the place of an
// earlier one.
void AttributeList::settle(WireWriter& out, std::string_view key, std::size_t begin) noexcept {
  const std::size_t hash = key_hash(key);
  std::uint32_t* const known = find(out, key, hash);
  if (known == nullptr) return insert(out, key, hash, begin);
  const std::size_t size = out.offset() - begin;
  base::Bytes old = out.bytes_from(*known + 1);
  const std::size_t old_body = base::read_varint(old).value_or(0);
  if (length_field_size(old_body) == size) {
    std::memcpy(out.at(*known), out.at(begin), size);
    out.truncate(begin);
  } else {
    out.bury(*known);
    *known = static_cast<std::uint32_t>(begin);
  }
}

void AttributeList::set_repaired(WireWriter& out, std::uint8_t tag, std::string_view key,
                                 const AttributeValue& value) noexcept {
  try {
    set_slowly(out, tag, replace_ill_formed(key), value);
  } catch (const std::bad_alloc&) {
    out.fail();
  }
}

std::uint32_t* AttributeList::find_in_table(const WireWriter& out, std::string_view key) noexcept {
  const std::uint32_t hash = table_hash(key);
  for (std::size_t i = hash & (table_size_ - 1); table_[i].offset != 0; i = (i + 1) & (table_size_ - 1)) {
    if (table_[i].hash == hash && key_at(out, table_[i].offset) == key) return &table_[i].offset;
  }
  return nullptr;
}

void AttributeList::insert_in_table(std::uint32_t hash, std::uint32_t offset) noexcept {
  std::size_t i = hash & (table_size_ - 1);
  while (table_[i].offset != 0) i = (i + 1) & (table_size_ - 1);
  table_[i] = {hash, offset};
}

bool AttributeList::grow_table(const WireWriter& out) noexcept {
  const std::size_t size = std::max(4 * inline_count_max, 2 * table_size_);
  const std::size_t old_size = table_size_;
  std::unique_ptr<Slot[]> old;
  if (size > table_capacity_) {
    std::unique_ptr<Slot[]> grown(new (std::nothrow) Slot[size]);
    if (grown == nullptr) return false;
    old = std::exchange(table_, std::move(grown));
    table_capacity_ = size;
  } else if (old_size != 0) {
    old.reset(new (std::nothrow) Slot[old_size]);
    if (old == nullptr) return false;
    std::copy_n(table_.get(), old_size, old.get());
  }
  table_size_ = size;
  clear_table();
  table_size_ = size;
  if (old_size == 0) {
    for (std::size_t i = 0; i < count_; ++i) insert_in_table(table_hash(key_at(out, offsets_[i])), offsets_[i]);
  }
  for (std::size_t i = 0; i < old_size; ++i) {
    if (old[i].offset != 0) insert_in_table(old[i].hash, old[i].offset);
  }
  return true;
}

void AttributeList::clear_table() noexcept {
  std::fill_n(table_.get(), table_size_, Slot{});
  table_size_ = 0;
}

void AttributeList::rebuild(WireWriter& out, std::uint8_t tag, std::size_t from) noexcept {
  const std::uint32_t dropped = dropped_count_;
  reset(limits_);
  dropped_count_ = dropped;
  for_each_own_field(out.bytes_from(from), [&](base::Bytes field) {
    if (field.front() != std::byte{tag}) return;
    const auto offset = static_cast<std::size_t>(field.data() - out.at(0));
    const std::string_view key = key_at(out, offset);
    insert(out, key, key_hash(key), offset);
  });
}

}  // namespace arca::otlp
