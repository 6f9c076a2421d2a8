// Times as they stand in log lines. Pure functions over text; used by parse_log_line. A form that is not met
// exactly gives nothing: a wrong time is worse than none, because the observed time then stands in for it.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

#include "base/time.hpp"

namespace arca::cli::agent {

// What a line leaves out: forms without a zone are the host's local time, those without a year lie near now.
struct TimeContext {
  base::WallTime now;
  std::chrono::seconds local_offset{0};  // east of UTC
};

struct FoundTime {
  base::WallTime time;
  std::size_t length;  // bytes that it takes at the start of the text
};

// 2026-11-23T18:47:42.123456Z; also with a blank or '/' between, ',' before the fraction, +01:00, +0100.
std::optional<FoundTime> read_iso_time(std::string_view text, const TimeContext& context);
// Nov 23 18:47:42 (syslog, RFC 3164)
std::optional<FoundTime> read_bsd_time(std::string_view text, const TimeContext& context);
// 23/Nov/2026:18:47:42 +0000 (access logs)
std::optional<FoundTime> read_access_time(std::string_view text);
// 1123 18:47:42.123456 (klog, behind the letter of the severity)
std::optional<FoundTime> read_klog_time(std::string_view text, const TimeContext& context);
// 10 digits of seconds with an optional fraction, or 13, 16, 19 digits of milli-, micro-, nanoseconds.
std::optional<FoundTime> read_epoch_time(std::string_view text);

}  // namespace arca::cli::agent
