#include "otlp/utf8.hpp"

namespace arca::otlp {

namespace {

struct Sequence {
  std::size_t size = 1;  // bytes of the code point, or of the maximal ill-formed part
  bool well_formed = false;
};

constexpr bool is_within(unsigned char byte, unsigned low, unsigned high) noexcept {
  return byte >= low && byte <= high;
}

// Reads the code point at the front of `text`, which is not empty.
Sequence read_sequence(std::string_view text) noexcept {
  const auto byte_at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte_at(0);
  if (lead < 0x80) return {1, true};
  std::size_t size = 0;
  unsigned low = 0x80;   // of the second byte: narrower after some leads, which rules out overlong forms,
  unsigned high = 0xBF;  // surrogates and values above U+10FFFF
  if (is_within(lead, 0xC2, 0xDF)) {
    size = 2;
  } else if (is_within(lead, 0xE0, 0xEF)) {
    size = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (is_within(lead, 0xF0, 0xF4)) {
    size = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {1, false};
  }
  for (std::size_t i = 1; i < size; ++i) {
    if (i == text.size() || !is_within(byte_at(i), low, high)) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {size, true};
}

// Skips ASCII in steps of eight bytes.
std::size_t ascii_prefix(std::string_view text) noexcept {
  std::size_t i = 0;
  while (i + 8 <= text.size() &&
         (base::load<std::uint64_t>(base::as_bytes(text).data() + i) & 0x8080808080808080ULL) == 0) {
    i += 8;
  }
  return i;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  while (true) {
    text.remove_prefix(ascii_prefix(text));
    if (text.empty()) return true;
    const Sequence sequence = read_sequence(text);
    if (!sequence.well_formed) return false;
    text.remove_prefix(sequence.size);
  }
}

std::size_t prefix_size(std::string_view text, std::size_t character_count_max) noexcept {
  std::size_t size = 0;
  while (character_count_max != 0 && size < text.size()) {
    size += read_sequence(text.substr(size)).size;
    --character_count_max;
  }
  return size;
}

std::string replace_ill_formed(std::string_view text) {
  std::string replaced;
  replaced.reserve(text.size() + 8);
  while (!text.empty()) {
    const Sequence sequence = read_sequence(text);
    replaced += sequence.well_formed ? text.substr(0, sequence.size) : std::string_view("\xEF\xBF\xBD");
    text.remove_prefix(sequence.size);
  }
  return replaced;
}

}  // namespace arca::otlp
