#include "cli/query/screen.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "cli/terminal_text.hpp"
#include "cli/units.hpp"

namespace arca::cli::query {

namespace {

constexpr std::size_t columns_default = 100;
constexpr std::size_t columns_min = 20;
constexpr std::size_t columns_max = 1000;
constexpr std::size_t gap = 2;  // blanks between columns

std::size_t columns_of_terminal() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

std::size_t as_size(const std::string& text) {
  std::size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// The first of the variables that decide on the character set is set, and to no more than ASCII.
bool wants_ascii(const os::Environment& environment) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = environment.get(name).value_or("");
    if (!value.empty()) return value == "C" || value == "POSIX";
  }
  return false;
}

const char* code_of(Colour colour, std::string_view seed) {
  constexpr std::array<const char*, 6> of_services{"36", "34", "35", "32", "33", "96"};
  switch (colour) {
    case Colour::faint:
      return "2";
    case Colour::strong:
      return "1";
    case Colour::good:
      return "32";
    case Colour::warning:
      return "33";
    case Colour::bad:
      return "1;31";
    case Colour::service:
      break;
  }
  std::uint32_t sum = 2166136261U;  // the same for the same service in every run
  for (const char c : seed) sum = (sum ^ static_cast<unsigned char>(c)) * 16777619U;
  return of_services[sum % of_services.size()];
}

}  // namespace

Screen Screen::of(const Console& console, const os::Environment& environment, std::size_t columns, bool ascii) {
  Screen screen;
  const bool terminal = console.out_is_terminal();
  screen.colour = terminal && environment.get("NO_COLOR").value_or("").empty() && environment.get("TERM") != "dumb";
  screen.ascii = ascii || (terminal && wants_ascii(environment));
  if (columns == 0 && terminal) columns = columns_of_terminal();
  if (columns == 0) columns = as_size(environment.get("COLUMNS").value_or(""));
  screen.cuts_tables = columns != 0;
  screen.columns = columns == 0 ? columns_default : std::clamp(columns, columns_min, columns_max);
  return screen;
}

std::string Screen::paint(Colour wanted, std::string_view text, std::string_view seed) const {
  if (!colour || text.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code_of(wanted, seed.empty() ? text : seed), text);
}

std::string Screen::shown(std::string_view text) const { return ascii ? ascii_only(text) : std::string(text); }

// 0: left out.
std::vector<std::size_t> Table::choose_widths(std::size_t room, bool with_headings) const {
  constexpr std::size_t cut_min = 12;  // less of a text says nothing
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(with_headings ? column_count(column.heading) : 1);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], column_count(row[i].text));
  }
  const auto used = [&] {
    std::size_t sum = 0;
    for (const std::size_t width : widths) sum += width == 0 ? 0 : width + gap;
    return sum - gap;
  };
  const auto widest_to_cut = [&] {
    std::optional<std::size_t> widest;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (columns_[i].is_whole || widths[i] <= cut_min) continue;
      if (!widest || widths[i] > widths[*widest]) widest = i;
    }
    return widest;
  };
  const auto least_important = [&] {
    std::optional<std::size_t> least;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (widths[i] == 0 || columns_[i].importance >= always) continue;
      if (!least || columns_[i].importance < columns_[*least].importance) least = i;
    }
    return least;
  };
  while (used() > room) {
    if (const auto widest = widest_to_cut()) {
      --widths[*widest];
    } else if (const auto least = least_important()) {
      widths[*least] = 0;
    } else {
      break;  // what may neither be cut nor left out is wider than the screen
    }
  }
  return widths;
}

std::string Table::text(const Screen& screen, bool with_headings) const {
  const std::vector<std::size_t> widths = choose_widths(screen.cuts_tables ? screen.columns : SIZE_MAX, with_headings);
  std::string text;
  const auto line = [&](const auto& cell_text) {
    bool is_first = true;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (widths[i] == 0) continue;
      text += (is_first ? "" : "  ") + cell_text(i);
      is_first = false;
    }
    while (text.ends_with(' ')) text.pop_back();
    text += '\n';
  };
  if (with_headings) {
    line([&](std::size_t i) {
      const bool is_number = !rows_.empty() && rows_.front()[i].is_number;
      const std::string& heading = columns_[i].heading;
      return screen.paint(Colour::faint, is_number ? pad_left(heading, widths[i]) : pad_right(heading, widths[i]));
    });
  }
  for (const auto& row : rows_) {
    line([&](std::size_t i) {
      const Cell& cell = row[i];
      const std::string padded =
          screen.shown(cell.is_number ? pad_left(cell.text, widths[i]) : pad_right(cell.text, widths[i]));
      return cell.is_painted ? screen.paint(cell.colour, padded, cell.text) : padded;
    });
  }
  return text;
}

std::string format_span_duration(base::Duration duration) {
  const auto nanos = static_cast<double>(duration.count());
  if (nanos < 1e3) return fmt::format("{}ns", duration.count());
  const auto with_unit = [](double value, const char* unit) {
    return fmt::format("{:.{}f}{}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, unit);
  };
  if (nanos < 999.5e3) return with_unit(nanos / 1e3, "µs");
  if (nanos < 999.5e6) return with_unit(nanos / 1e6, "ms");
  if (nanos < 60e9) return with_unit(nanos / 1e9, "s");
  return format_duration(duration);
}

std::string format_time(base::WallTime time) {
  std::string text = format_wall_time(time);
  text[text.find('T')] = ' ';
  text.pop_back();  // the Z
  return text;
}

std::string format_time(base::WallTime time, const Screen& screen) {
  constexpr std::size_t narrow = 120;
  const std::string text = format_time(time);
  return screen.cuts_tables && screen.columns < narrow ? text.substr(5, 14) : text;
}

}  // namespace arca::cli::query
