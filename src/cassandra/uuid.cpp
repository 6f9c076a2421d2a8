#include "cassandra/uuid.hpp"

#include <cstdint>

namespace arca::cassandra {
namespace {

// A hyphen stands before these bytes.
constexpr bool begins_group(std::size_t index) noexcept {
  return index == 4 || index == 6 || index == 8 || index == 10;
}

std::optional<unsigned> digit_value(char digit) noexcept {
  if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<unsigned>(digit - 'a' + 10);
  if (digit >= 'A' && digit <= 'F') return static_cast<unsigned>(digit - 'A' + 10);
  return std::nullopt;
}

}  // namespace

Uuid random_uuid(os::Random& random) noexcept {
  Uuid uuid;
  base::store(uuid.bytes.data(), random.next());
  base::store(uuid.bytes.data() + 8, random.next());
  uuid.bytes[6] = (uuid.bytes[6] & std::byte{0x0F}) | std::byte{0x40};  // version 4
  uuid.bytes[8] = (uuid.bytes[8] & std::byte{0x3F}) | std::byte{0x80};  // the variant of RFC 9562
  return uuid;
}

std::string to_string(const Uuid& uuid) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (begins_group(i)) text += '-';
    const auto value = std::to_integer<unsigned>(uuid.bytes[i]);
    text += digits[value >> 4U];
    text += digits[value & 15U];
  }
  return text;
}

std::optional<Uuid> parse_uuid(std::string_view text) noexcept {
  if (text.size() != 36) return std::nullopt;
  Uuid uuid;
  std::size_t at = 0;
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (begins_group(i) && text[at++] != '-') return std::nullopt;
    const auto high = digit_value(text[at++]);
    const auto low = digit_value(text[at++]);
    if (!high || !low) return std::nullopt;
    uuid.bytes[i] = static_cast<std::byte>(*high << 4U | *low);
  }
  return uuid;
}

}  // namespace arca::cassandra
