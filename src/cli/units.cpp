#include "cli/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>

namespace arca::cli {

namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array<Unit, 7> duration_units{
    {{"ns", 1e0}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}}};
constexpr std::array<Unit, 8> byte_units{
    {{"", 1}, {"B", 1}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}}};
constexpr double value_max = 9.2e18;  // what an int64 holds, with a margin

// Splits "12.5ms" into its number and its unit; nothing if either is not there as promised.
template <std::size_t N>
std::optional<double> parse_with_unit(std::string_view text, const std::array<Unit, N>& units) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number) || number < 0) return std::nullopt;
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  while (unit.ends_with(' ')) unit.remove_suffix(1);
  for (const Unit& candidate : units) {
    if (candidate.name != unit) continue;
    const double value = number * candidate.factor;
    return value <= value_max ? std::optional(value) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<base::Duration> parse_duration(std::string_view text) {
  if (text == "0") return base::Duration::zero();
  const auto value = parse_with_unit(text, duration_units);
  if (!value) return std::nullopt;
  return base::Duration(std::llround(*value));
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  const auto value = parse_with_unit(text, byte_units);
  if (!value) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(*value));
}

std::string format_duration(base::Duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  if (seconds < 0)
    return "-" + format_duration(-std::max(duration, -base::Duration::max()));  // the least has no opposite
  if (seconds < 1) return fmt::format("{:.0f}ms", seconds * 1000);
  if (seconds < 60) return fmt::format("{:.1f}s", seconds);
  const auto whole = static_cast<std::uint64_t>(seconds);
  if (whole < 3600) return fmt::format("{}m {}s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{}h {}m", whole / 3600, whole / 60 % 60);
  return fmt::format("{}d {}h", whole / 86400, whole / 3600 % 24);
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> names{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < names.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, names[unit]);
}

std::string format_count(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (auto place = static_cast<std::ptrdiff_t>(digits.size()) - 3; place > 0; place -= 3) {
    digits.insert(static_cast<std::size_t>(place), 1, ',');
  }
  return digits;
}

std::string format_wall_time(base::WallTime time) {
  const auto since_epoch = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const auto millis = std::chrono::floor<std::chrono::milliseconds>(since_epoch - seconds).count();
  const std::time_t when = seconds.count();
  std::tm parts{};
  gmtime_r(&when, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, millis);
}

std::string check_duration(const std::string& text) {
  return parse_duration(text) ? ""
                              : "'" + text + "' is no length of time; allowed: a number and ns, us, ms, s, m, h or d";
}

std::string check_bytes(const std::string& text) {
  return parse_bytes(text) ? "" : "'" + text + "' is no size; allowed: a number and B, kB, MB, GB, KiB, MiB or GiB";
}

}  // namespace arca::cli
