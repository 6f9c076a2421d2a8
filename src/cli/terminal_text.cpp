#include "cli/terminal_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "otlp/utf8.hpp"

namespace arca::cli {

namespace {

constexpr int value_depth_max = 16;

struct Interval {
  char32_t first;
  char32_t last;
};

// The marks that stand on the character before them, as far as telemetry has been seen to hold them, joiners and
// variation selectors.
constexpr std::array<Interval, 22> zero_width{
    {{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD},   {0x0610, 0x061A},  {0x064B, 0x065F}, {0x0670, 0x0670},
     {0x06D6, 0x06DC}, {0x093C, 0x093C}, {0x0941, 0x0948},   {0x094D, 0x094D},  {0x0E31, 0x0E31}, {0x0E34, 0x0E3A},
     {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},   {0x200B, 0x200D},  {0x20D0, 0x20FF}, {0x3099, 0x309A},
     {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0x1F3FB, 0x1F3FF}, {0xE0100, 0xE01EF}}};
constexpr std::array<Interval, 17> double_width{{{0x1100, 0x115F},
                                                 {0x231A, 0x231B},
                                                 {0x23E9, 0x23EC},
                                                 {0x2614, 0x2615},
                                                 {0x26A1, 0x26A1},
                                                 {0x2705, 0x2705},
                                                 {0x274C, 0x274C},
                                                 {0x2E80, 0x303E},
                                                 {0x3041, 0xA4CF},
                                                 {0xAC00, 0xD7A3},
                                                 {0xF900, 0xFAFF},
                                                 {0xFE30, 0xFE6F},
                                                 {0xFF00, 0xFF60},
                                                 {0xFFE0, 0xFFE6},
                                                 {0x1F300, 0x1F64F},
                                                 {0x1F680, 0x1FAFF},
                                                 {0x20000, 0x3FFFD}}};

template <std::size_t N>
bool is_in(const std::array<Interval, N>& intervals, char32_t character) noexcept {
  const auto* const at = std::lower_bound(intervals.begin(), intervals.end(), character,
                                          [](const Interval& each, char32_t value) { return each.last < value; });
  return at != intervals.end() && at->first <= character;
}

// Control characters, and those that turn the direction of what follows.
bool is_unprintable(char32_t character) noexcept {
  return character < 0x20 || (character >= 0x7F && character < 0xA0) || character == 0x2028 || character == 0x2029 ||
         (character >= 0x200E && character <= 0x200F) || (character >= 0x202A && character <= 0x202E) ||
         (character >= 0x2066 && character <= 0x2069) || character == 0xFEFF;
}

struct Character {
  char32_t value = 0;
  std::size_t size = 1;
};

// The first character of well-formed UTF-8; of ill-formed, one byte.
Character first_of(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (lead < 0x80 || lead < 0xC0 || size > text.size()) return {lead, 1};
  char32_t value = lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) value = (value << 6U) | (byte(i) & 0x3FU);
  return {value, size};
}

std::size_t columns_of(char32_t character) noexcept {
  if (character < 0x300) return 1;
  if (is_in(zero_width, character)) return 0;
  return is_in(double_width, character) ? 2 : 1;
}

std::string value_text(const otlp::ValueView& value, int depth) {
  struct Printer {
    int depth;
    std::string operator()(std::monostate) const { return "-"; }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return fmt::format("{}", number); }
    std::string operator()(std::string_view text) const { return "\"" + printable(text) + "\""; }
    std::string operator()(base::Bytes bytes) const { return "0x" + otlp::to_hex(bytes); }
    std::string operator()(const otlp::ValuesView& values) const {
      if (depth == value_depth_max) return "[...]";
      std::string text;
      for (const otlp::ValueView& each : otlp::all_of(values)) {
        text += (text.empty() ? "" : ", ") + value_text(each, depth + 1);
      }
      return "[" + text + "]";
    }
    std::string operator()(const otlp::AttributesView& attributes) const {
      if (depth == value_depth_max) return "{...}";
      std::string text;
      for (const otlp::KeyValueView& each : attributes.all()) {
        text += fmt::format("{}{}={}", text.empty() ? "" : " ", printable(each.key), value_text(each.value, depth + 1));
      }
      return "{" + text + "}";
    }
  };
  return std::visit(Printer{depth}, value);
}

}  // namespace

std::string printable(std::string_view text) {
  if (!otlp::is_utf8(text)) return printable(otlp::replace_ill_formed(text));
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Character character = first_of(text);
    if (!is_unprintable(character.value)) {
      result += text.substr(0, character.size);
    } else if (character.value == '\n') {
      result += "\\n";
    } else if (character.value < 0x100) {
      result += fmt::format("\\x{:02x}", static_cast<std::uint32_t>(character.value));
    } else {
      result += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(character.value));
    }
    text.remove_prefix(character.size);
  }
  return result;
}

std::string printable_lines(std::string_view text) {
  std::string made;
  for (;;) {
    const std::size_t end = text.find('\n');
    made += printable(text.substr(0, end));
    if (end == std::string_view::npos) return made;
    made += '\n';
    text.remove_prefix(end + 1);
  }
}

std::size_t column_count(std::string_view text) noexcept {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Character character = first_of(text);
    columns += columns_of(character.value);
    text.remove_prefix(character.size);
  }
  return columns;
}

std::string fit(std::string_view text, std::size_t columns) {
  std::size_t used = 0;    // by the characters passed
  std::size_t cut_at = 0;  // bytes that leave a column for the ellipsis
  std::string_view rest = text;
  while (!rest.empty()) {
    const Character character = first_of(rest);
    used += columns_of(character.value);
    rest.remove_prefix(character.size);
    if (used > columns) return columns == 0 ? "" : std::string(text.substr(0, cut_at)) + "…";
    if (used < columns) cut_at = text.size() - rest.size();
  }
  return std::string(text);
}

std::string pad_right(std::string_view text, std::size_t columns) {
  std::string result = fit(text, columns);
  return result.append(columns - std::min(columns, column_count(result)), ' ');
}

std::string pad_left(std::string_view text, std::size_t columns) {
  std::string result = fit(text, columns);
  return result.insert(0, columns - std::min(columns, column_count(result)), ' ');
}

std::string ascii_only(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Character character = first_of(text);
    if (character.value == U'…') {
      result += '~';
    } else if (character.value < 0x80) {
      result += static_cast<char>(character.value);
    } else {
      result.append(columns_of(character.value), '?');
    }
    text.remove_prefix(character.size);
  }
  return result;
}

std::string value_text(const otlp::ValueView& value) { return value_text(value, 0); }

}  // namespace arca::cli
