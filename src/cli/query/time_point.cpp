#include "cli/query/time_point.hpp"

#include <charconv>
#include <chrono>

#include "cli/units.hpp"

namespace arca::cli::query {

namespace {

// Takes what is expected from the front of a text; once something is missing, everything fails.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : rest_(text) {}

  int digits(std::size_t count, int low, int high) noexcept {
    int value = 0;
    if (rest_.size() < count) return fail();
    for (std::size_t i = 0; i < count; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return fail();
      value = 10 * value + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return value < low || value > high ? fail() : value;
  }
  bool skip(char expected) noexcept {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char expected) noexcept {
    if (!skip(expected)) fail();
  }
  // Digits behind a point, as nanoseconds.
  std::int64_t fraction() noexcept {
    std::int64_t nanos = 0;
    std::int64_t unit = 100'000'000;
    if (rest_.empty() || rest_[0] < '0' || rest_[0] > '9') return fail();
    for (; !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9'; rest_.remove_prefix(1), unit /= 10) {
      nanos += unit * (rest_[0] - '0');
    }
    return nanos;
  }
  [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
  [[nodiscard]] bool good() const noexcept { return good_; }

 private:
  int fail() noexcept {
    good_ = false;
    return 0;
  }
  std::string_view rest_;
  bool good_ = true;
};

// "12:00", "12:00:30", "12:00:30.25", then "Z", an offset or nothing; as the time since midnight UTC.
base::Duration scan_clock(Scanner& scanner) noexcept {
  using std::chrono::hours, std::chrono::minutes, std::chrono::seconds;
  base::Duration time = hours(scanner.digits(2, 0, 23));
  scanner.expect(':');
  time += minutes(scanner.digits(2, 0, 59));
  if (scanner.skip(':')) {
    time += seconds(scanner.digits(2, 0, 60));
    if (scanner.skip('.')) time += base::Duration(scanner.fraction());
  }
  if (scanner.at_end() || scanner.skip('Z')) return time;
  const bool is_east = scanner.skip('+');
  if (!is_east) scanner.expect('-');
  base::Duration offset = hours(scanner.digits(2, 0, 14));
  scanner.skip(':');
  offset += minutes(scanner.digits(2, 0, 59));
  return is_east ? time - offset : time + offset;
}

}  // namespace

std::optional<base::WallTime> parse_time(std::string_view text, base::WallTime now) noexcept {
  using std::chrono::days;
  if (const auto ago = parse_duration(text)) return now - *ago;
  if (text.find('-') == std::string_view::npos || text.find(':') < text.find('-')) {
    Scanner scanner(text);
    const base::WallTime time = std::chrono::floor<days>(now) + scan_clock(scanner);
    return scanner.good() && scanner.at_end() ? std::optional(time) : std::nullopt;
  }
  Scanner scanner(text);
  const int year = scanner.digits(4, 1970, 2261);  // what nanoseconds in 64 bits hold
  scanner.expect('-');
  const int month = scanner.digits(2, 1, 12);
  scanner.expect('-');
  const int day = scanner.digits(2, 1, 31);
  const std::chrono::year_month_day date(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!scanner.good() || !date.ok()) return std::nullopt;
  base::WallTime time = std::chrono::sys_days(date);
  if (!scanner.at_end()) {
    if (!scanner.skip('T')) scanner.expect(' ');
    time += scan_clock(scanner);
  }
  return scanner.good() && scanner.at_end() ? std::optional(time) : std::nullopt;
}

}  // namespace arca::cli::query
