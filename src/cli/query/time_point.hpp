// Points in time as people type them. Used for --since and --until.
#pragma once

#include <optional>
#include <string_view>

#include "base/time.hpp"

namespace arca::cli::query {

// "15m" (so long ago), "2026-01-31", "2026-01-31 12:00", "2026-01-31T12:00:00.5Z" (or with an offset as +02:00), or
// "12:00" (of today). Without an offset it is UTC.
std::optional<base::WallTime> parse_time(std::string_view text, base::WallTime now) noexcept;

}  // namespace arca::cli::query
