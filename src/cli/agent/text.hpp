// Small readers over text: fields, numbers, lines. Used by the parsers of /proc and of log lines, which
// meet foreign text and must take any byte calmly: each function answers "not there" instead of failing.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace arca::cli::agent {

// Cuts the next line (without its newline) off `rest`; nothing at the end of the text.
inline std::optional<std::string_view> next_line(std::string_view& rest) {
  if (rest.empty()) return std::nullopt;
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

// Cuts the next field (between blanks) off `rest`; empty when there is none.
inline std::string_view next_field(std::string_view& rest) {
  const std::size_t start = rest.find_first_not_of(" \t");
  if (start == std::string_view::npos) {
    rest = {};
    return {};
  }
  rest.remove_prefix(start);
  const std::size_t end = rest.find_first_of(" \t");
  const std::string_view field = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end);
  return field;
}

// Reads a whole field as a number; nothing when it is not one, or too large.
template <class Number>
std::optional<Number> to_number(std::string_view field, int base = 10) {
  Number value{};
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value, base);
  if (error != std::errc{} || end != field.data() + field.size() || field.empty()) return std::nullopt;
  return value;
}

// Reads a whole field as a finite number with a point.
inline std::optional<double> to_real(std::string_view field) {
  double value{};
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || end != field.data() + field.size() || field.empty()) return std::nullopt;
  if (!(value >= -1e300 && value <= 1e300)) return std::nullopt;  // "inf" and "nan" parse too
  return value;
}

// Cuts the next field off `rest` and reads it as a count; nothing when it is not one.
inline std::optional<std::uint64_t> next_count(std::string_view& rest) {
  return to_number<std::uint64_t>(next_field(rest));
}

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
inline bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
inline char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

inline bool equals_ignoring_case(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i)
    if (to_lower(left[i]) != to_lower(right[i])) return false;
  return true;
}

}  // namespace arca::cli::agent
