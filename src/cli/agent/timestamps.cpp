#include "cli/agent/timestamps.hpp"

#include <array>
#include <cstdint>

#include "cli/agent/text.hpp"

namespace arca::cli::agent {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// Walks over fixed forms; once something does not fit, everything after it is refused too.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  int digits(std::size_t count) {
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!is_digit(peek())) return fail();
      value = value * 10 + (text_[position_++] - '0');
    }
    return value;
  }
  void one_of(std::string_view allowed) {
    if (peek() == '\0' || allowed.find(peek()) == std::string_view::npos) {
      fail();
    } else {
      ++position_;
    }
  }
  bool skip(char c) {
    if (peek() != c) return false;
    ++position_;
    return true;
  }
  int month() {
    constexpr std::string_view names = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const std::string_view name = text_.substr(std::min(position_, text_.size()), 3);
    if (name.size() < 3) return fail();
    for (std::size_t i = 0; i < names.size(); i += 3) {
      if (name != names.substr(i, 3)) continue;
      position_ += 3;
      return static_cast<int>(i / 3) + 1;
    }
    return fail();
  }
  // Digits after a point, as nanoseconds; more than nine are cut off.
  nanoseconds fraction() {
    std::int64_t value = 0;
    std::size_t count = 0;
    for (; is_digit(peek()); ++position_, ++count)
      if (count < 9) value = value * 10 + (peek() - '0');
    for (std::size_t i = count; i < 9; ++i) value *= 10;
    if (count == 0) fail();
    return nanoseconds(value);
  }
  int fail() {
    failed_ = true;
    return 0;
  }
  [[nodiscard]] char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::size_t position() const { return position_; }

 private:
  std::string_view text_;
  std::size_t position_ = 0;
  bool failed_ = false;
};

std::optional<base::WallTime> make_time(int year, int month, int day, int hour, int minute, int second) {
  const std::chrono::year_month_day date(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  // 60 is a leap second. Years outside do not fit into nanoseconds.
  if (!date.ok() || hour > 23 || minute > 59 || second > 60 || year < 1971 || year > 2200) return std::nullopt;
  return base::WallTime(std::chrono::sys_days(date)) + hours(hour) + minutes(minute) + seconds(second);
}

std::optional<base::Duration> read_zone(Cursor& cursor) {
  if (cursor.skip('Z')) return base::Duration(0);
  const bool west = cursor.peek() == '-';
  if (!west && cursor.peek() != '+') return std::nullopt;
  cursor.skip(cursor.peek());
  const int hour = cursor.digits(2);
  cursor.skip(':');
  const int minute = cursor.digits(2);
  const base::Duration offset = hours(hour) + minutes(minute);
  return west ? -offset : offset;
}

// The year that puts a date without one nearest to now, and never more than a day ahead of it.
std::optional<base::WallTime> with_likely_year(int month, int day, int hour, int minute, int second,
                                               const TimeContext& context) {
  const auto today = std::chrono::floor<days>(context.now + context.local_offset);
  const int year =
      static_cast<int>(std::chrono::year_month_day(std::chrono::sys_days(today.time_since_epoch())).year());
  for (const int candidate : {year, year - 1}) {
    const auto local = make_time(candidate, month, day, hour, minute, second);
    if (local && *local - context.local_offset <= context.now + days(1)) return *local - context.local_offset;
  }
  return std::nullopt;
}

std::optional<FoundTime> found(const Cursor& cursor, std::optional<base::WallTime> time) {
  if (cursor.failed() || !time) return std::nullopt;
  return FoundTime{*time, cursor.position()};
}

}  // namespace

std::optional<FoundTime> read_iso_time(std::string_view text, const TimeContext& context) {
  Cursor cursor(text);
  const int year = cursor.digits(4);
  cursor.one_of("-/");
  const int month = cursor.digits(2);
  cursor.one_of("-/");
  const int day = cursor.digits(2);
  cursor.one_of("T t");
  const int hour = cursor.digits(2);
  cursor.one_of(":");
  const int minute = cursor.digits(2);
  cursor.one_of(":");
  const int second = cursor.digits(2);
  if (cursor.failed()) return std::nullopt;
  auto time = make_time(year, month, day, hour, minute, second);
  if (!time) return std::nullopt;
  // A point may also end a sentence, so the fraction is tried on a copy.
  if (cursor.peek() == '.' || cursor.peek() == ',') {
    Cursor ahead = cursor;
    ahead.one_of(".,");
    const nanoseconds fraction = ahead.fraction();
    if (!ahead.failed()) {
      *time += fraction;
      cursor = ahead;
    }
  }
  Cursor ahead = cursor;
  ahead.skip(' ');
  const auto zone = read_zone(ahead);
  if (zone && !ahead.failed()) return FoundTime{*time - *zone, ahead.position()};
  return FoundTime{*time - context.local_offset, cursor.position()};
}

std::optional<FoundTime> read_bsd_time(std::string_view text, const TimeContext& context) {
  Cursor cursor(text);
  const int month = cursor.month();
  cursor.one_of(" ");
  const int day = cursor.skip(' ') ? cursor.digits(1) : cursor.digits(2);
  cursor.one_of(" ");
  const int hour = cursor.digits(2);
  cursor.one_of(":");
  const int minute = cursor.digits(2);
  cursor.one_of(":");
  const int second = cursor.digits(2);
  if (cursor.failed()) return std::nullopt;
  return found(cursor, with_likely_year(month, day, hour, minute, second, context));
}

std::optional<FoundTime> read_access_time(std::string_view text) {
  Cursor cursor(text);
  const int day = cursor.digits(2);
  cursor.one_of("/");
  const int month = cursor.month();
  cursor.one_of("/");
  const int year = cursor.digits(4);
  cursor.one_of(":");
  const int hour = cursor.digits(2);
  cursor.one_of(":");
  const int minute = cursor.digits(2);
  cursor.one_of(":");
  const int second = cursor.digits(2);
  cursor.one_of(" ");
  const auto zone = read_zone(cursor);
  if (cursor.failed() || !zone) return std::nullopt;
  auto time = make_time(year, month, day, hour, minute, second);
  if (time) *time -= *zone;
  return found(cursor, time);
}

std::optional<FoundTime> read_klog_time(std::string_view text, const TimeContext& context) {
  Cursor cursor(text);
  const int month = cursor.digits(2);
  const int day = cursor.digits(2);
  cursor.one_of(" ");
  const int hour = cursor.digits(2);
  cursor.one_of(":");
  const int minute = cursor.digits(2);
  cursor.one_of(":");
  const int second = cursor.digits(2);
  cursor.one_of(".");
  const nanoseconds fraction = cursor.fraction();
  if (cursor.failed()) return std::nullopt;
  auto time = with_likely_year(month, day, hour, minute, second, context);
  if (time) *time += fraction;
  return found(cursor, time);
}

std::optional<FoundTime> read_epoch_time(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && length < 20 && is_digit(text[length])) ++length;
  const auto number = to_number<std::int64_t>(text.substr(0, length));
  if (!number || *number <= 0) return std::nullopt;
  const auto at = [](nanoseconds since_epoch) { return base::WallTime(since_epoch); };
  switch (length) {
    case 10: {
      Cursor ahead(text.substr(length));
      nanoseconds fraction{0};
      if (ahead.skip('.')) {
        fraction = ahead.fraction();
        if (!ahead.failed()) length += ahead.position();
      }
      if (ahead.failed()) fraction = nanoseconds(0);
      // The seconds of ten digits reach the year 2286, beyond what nanoseconds hold.
      if (*number > 9'000'000'000) return std::nullopt;
      return FoundTime{at(seconds(*number)) + fraction, length};
    }
    case 13:
      return FoundTime{at(std::chrono::milliseconds(*number)), length};
    case 16:
      return FoundTime{at(std::chrono::microseconds(*number)), length};
    case 19:
      return FoundTime{at(nanoseconds(*number)), length};
    default:
      return std::nullopt;
  }
}

}  // namespace arca::cli::agent
