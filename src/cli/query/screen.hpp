// Screen: how wide the reader's terminal is, whether it shows colour, and whether it draws more than ASCII. Used by
// everything that `arca query` prints for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "cli/console.hpp"
#include "os/environment.hpp"

namespace arca::cli::query {

enum class Colour : std::uint8_t { faint, strong, good, warning, bad, service };

// Thread-safe to read.
struct Screen {
  std::size_t columns = 100;
  bool cuts_tables = true;  // to the columns: not when a table goes into a pipe
  bool colour = false;
  bool ascii = false;

  // Of standard output: colour on a terminal only and never with NO_COLOR; ASCII when asked, or when the locale of a
  // terminal says C. `columns` 0: those of the terminal, else COLUMNS, else 100.
  static Screen of(const Console& console, const os::Environment& environment, std::size_t columns, bool ascii);

  // The text in a colour; `seed` chooses among those of Colour::service.
  [[nodiscard]] std::string paint(Colour wanted, std::string_view text, std::string_view seed = {}) const;
  // As this screen can show it. Requires printable text.
  [[nodiscard]] std::string shown(std::string_view text) const;
  // One drawing or the other.
  [[nodiscard]] std::string_view draw(std::string_view fine, std::string_view plain) const noexcept {
    return ascii ? plain : fine;
  }
};

// Rows of cells under headings, each column as wide as needed. On a screen that is too narrow columns give way: first
// the widest are cut, then the least important are left out. Cells are printable; colours are put on afterwards, so
// that they take no room.
class Table {
 public:
  struct Column {
    std::string heading;
    int importance = 1;     // 0: the first to be left out; `always`: never
    bool is_whole = false;  // never cut
  };
  static constexpr int always = 9;
  struct Cell {
    std::string text;
    bool is_number = false;  // at the right edge of its column
    bool is_painted = false;
    Colour colour = Colour::faint;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
  [[nodiscard]] std::string text(const Screen& screen, bool with_headings = true) const;

 private:
  [[nodiscard]] std::vector<std::size_t> choose_widths(std::size_t room, bool with_headings) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// Of spans, which are often short: "870ns", "12.3µs", "4.56ms", "1.23s", "2m 5s".
std::string format_span_duration(base::Duration duration);
// "2026-01-31 12:00:00.123", in UTC; on a narrow screen "01-31 12:00:00".
std::string format_time(base::WallTime time);
std::string format_time(base::WallTime time, const Screen& screen);

}  // namespace arca::cli::query
