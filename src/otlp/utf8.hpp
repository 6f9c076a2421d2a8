// UTF-8 as OTLP needs it: protobuf strings must be valid UTF-8, or the receiver refuses the whole request. Used by
// the record writers; the common case, short ASCII, costs no more than the copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace arca::otlp {

// Whether `text` is well-formed UTF-8 (Unicode, table 3-7): no surrogates, no overlong forms.
bool is_utf8(std::string_view text) noexcept;

// Size of the longest prefix of well-formed `text` that has at most `character_count_max` code points.
std::size_t prefix_size(std::string_view text, std::size_t character_count_max) noexcept;

// Returns `text` with U+FFFD for each maximal ill-formed part.
std::string replace_ill_formed(std::string_view text);

// Copies `text` and returns 0 if all of it is ASCII, else anything but 0. One pass; reads and writes nothing outside.
// Head and tail blocks may overlap: cheaper than a loop over the rest, and much cheaper than a call, whose argument
// registers would have to be saved.
[[gnu::always_inline]] inline std::uint64_t copy_text(std::byte* to, std::string_view text) noexcept {
  using Block = std::uint64_t __attribute__((vector_size(16)));
  using Signs [[maybe_unused]] = char __attribute__((vector_size(16)));
  constexpr std::uint64_t high_bits = 0x8080808080808080ULL;
  const auto* from = reinterpret_cast<const std::byte*>(text.data());
  const std::size_t size = text.size();
  if (size >= sizeof(Block)) {
    const std::size_t last = size - sizeof(Block);
    Block seen = base::load<Block>(from + last);
    base::store(to + last, seen);
    for (std::size_t i = 0; i < last; i += sizeof(Block)) {
      const Block block = base::load<Block>(from + i);
      base::store(to + i, block);
      seen |= block;
    }
#if defined(__SSE2__)
    return static_cast<std::uint32_t>(__builtin_ia32_pmovmskb128(reinterpret_cast<Signs>(seen)));
#else
    return (seen[0] | seen[1]) & high_bits;
#endif
  }
  std::uint64_t seen = 0;
  const auto move = [&]<class Word>(std::size_t offset, Word) {
    const Word word = base::load<Word>(from + offset);
    base::store(to + offset, word);
    seen |= word;
  };
  if (size >= 8) {
    move(0, std::uint64_t{});
    move(size - 8, std::uint64_t{});
  } else if (size >= 4) {
    move(0, std::uint32_t{});
    move(size - 4, std::uint32_t{});
  } else if (size != 0) {
    move(0, std::uint8_t{});
    move(size / 2, std::uint8_t{});
    move(size - 1, std::uint8_t{});
  }
  return seen & high_bits;
}

}  // namespace arca::otlp
