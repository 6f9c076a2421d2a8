// Log lines that are one JSON object, as most libraries write them. Used by parse_log_line only.
#pragma once

#include <string>
#include <string_view>

#include "cli/agent/log_line.hpp"

namespace arca::cli::agent {

// Fills `line` from the object's members: message, level, time and trace under their usual names, the others as
// attributes. False, and `line` untouched, when the text is no object or nests too deep to be a log line.
bool read_json_line(std::string_view text, const TimeContext& context, LogLine& line);

// The id in lower case if it is exactly so many hex digits and not all zeros; else empty.
std::string to_hex_id(std::string_view text, std::size_t digits);

}  // namespace arca::cli::agent
