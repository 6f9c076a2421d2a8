// Text from outside on a terminal: attributes, names and messages of others are never trusted with control characters,
// and are measured in columns, not bytes. Used by Console and
// by every command that shows such text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "otlp/reader.hpp"

namespace arca::cli {

// One line of well-formed UTF-8: control and direction characters are shown as \x1b or \u202e.
std::string printable(std::string_view text);

// The same, but for its line ends, which stay.
std::string printable_lines(std::string_view text);

// Columns that printable text takes: combining characters none, East Asian wide ones and emoji two.
std::size_t column_count(std::string_view text) noexcept;

// The text if it fits into so many columns, else its beginning and "…". Requires printable text.
std::string fit(std::string_view text, std::size_t columns);

// fit(), then blanks up to so many columns, behind or before the text.
std::string pad_right(std::string_view text, std::size_t columns);
std::string pad_left(std::string_view text, std::size_t columns);

// The text with every character beyond ASCII replaced by '?', for terminals that know no other.
std::string ascii_only(std::string_view text);

// A value on one line: texts in quotes, bytes in hex, arrays and maps in brackets. Printable.
std::string value_text(const otlp::ValueView& value);

}  // namespace arca::cli
