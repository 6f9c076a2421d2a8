#include "otlp/wire_writer.hpp"

#include <algorithm>

namespace arca::otlp {

std::size_t size_of_own_field(base::Bytes fields) noexcept {
  base::Bytes rest = fields;
  switch (static_cast<WireType>(base::read_varint(rest).value_or(0) & 7U)) {
    case WireType::varint:
      static_cast<void>(base::read_varint(rest));
      break;
    case WireType::fixed64:
      rest = rest.subspan(8);
      break;
    case WireType::fixed32:
      rest = rest.subspan(4);
      break;
    case WireType::length: {
      const std::size_t body = base::read_varint(rest).value_or(0);
      rest = rest.subspan(body);
      break;
    }
  }
  return fields.size() - rest.size();
}

bool WireWriter::grow(std::size_t size) noexcept {
  const std::size_t used = offset();
  if (failed_ || size > size_max_ || used > size_max_ - size) {
    failed_ = true;
    return false;
  }
  const std::size_t wanted = std::max({used + size, std::min(2 * capacity(), size_max_), size_initial});
  auto* const grown = static_cast<std::byte*>(std::realloc(begin_, wanted));
  if (grown == nullptr) {
    failed_ = true;
    return false;
  }
  begin_ = grown;
  at_ = grown + used;
  end_ = grown + wanted;
  return true;
}

void WireWriter::bury(std::size_t offset) noexcept {
  *at(offset) = dead_tag;
  dead_bytes_ += size_of_own_field(bytes_from(offset));
}

void WireWriter::compact_fields(std::size_t from) noexcept {
  std::byte* to = at(from);
  for (const std::byte* field = to; field != at_;) {
    const std::size_t size = size_of_own_field({field, at_});
    if (*field == dead_tag) {
      dead_bytes_ -= size;
    } else {
      if (to != field) std::memmove(to, field, size);
      to += size;
    }
    field += size;
  }
  at_ = to;
}

void WireWriter::close_padded(std::size_t body, std::size_t reserved) noexcept {
  constexpr std::size_t wide = 5;  // enough for 32 GiB
  std::size_t size = offset() - body;
  if ((size >> (7U * reserved)) != 0) {
    if (!reserve(wide - reserved)) return;
    std::memmove(at(body) + (wide - reserved), at(body), size);
    at_ += wide - reserved;
    body += wide - reserved;
    reserved = wide;
  }
  std::byte* length = at(body) - reserved;
  for (std::size_t i = 1; i < reserved; ++i) {
    *length++ = static_cast<std::byte>(size | 0x80U);
    size >>= 7U;
  }
  *length = static_cast<std::byte>(size);
}

void WireWriter::give_back() noexcept {
  std::free(begin_);
  begin_ = at_ = end_ = nullptr;
}

}  // namespace arca::otlp
