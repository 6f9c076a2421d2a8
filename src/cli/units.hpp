// Sizes, rates and lengths of time as people type and read them: "200ms", "4MiB", "1h 5m". Used by every command.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace arca::cli {

// Reads a number with one of the units ns, us, ms, s, m, h, d; a bare 0 needs none.
std::optional<base::Duration> parse_duration(std::string_view text);
// Reads a number with one of the units B (or none), kB, MB, GB, KiB, MiB, GiB.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

std::string format_duration(base::Duration duration);  // "1h 5m", "3.2s", "200ms"
std::string format_bytes(std::uint64_t bytes);         // "4.0 MiB"
std::string format_count(std::uint64_t count);         // "1 234 567" in groups of three, by commas
std::string format_wall_time(base::WallTime time);     // "2026-01-31T12:00:00.123Z"

// For CLI11's check(): "" when the text is fine, else what is allowed.
std::string check_duration(const std::string& text);
std::string check_bytes(const std::string& text);

}  // namespace arca::cli
