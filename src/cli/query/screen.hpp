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
  bool colour = false;
  bool ascii = false;

  // Of standard output: colour on a terminal only and never with NO_COLOR; ASCII when asked, or when the locale of a
  // terminal says C. `columns` 0: those of the terminal, else COLUMNS, else 100.
  static Screen of(const Console& console, const os::Environment& environment, std::size_t columns, bool ascii);

  // The text in a colour; `seed` chooses among those of Colour::service.
  [[nodiscard]] std::string paint(Colour colour, std::string_view text, std::string_view seed = {}) const;
  // As this screen can show it. Requires printable text.
  [[nodiscard]] std::string shown(std::string_view text) const;
  // One drawing or the other.
  [[nodiscard]] std::string_view draw(std::string_view fine, std::string_view plain) const noexcept {
    return ascii ? plain : fine;
  }
};

// Rows of cells under headings, each column as wide as needed, the last one cut at the edge of the screen. Cells are
// printable; colours are put on afterwards, so that they take no room.
class Table {
 public:
  struct Cell {
    std::string text;
    bool is_number = false;  // at the right edge of its column
    bool is_painted = false;
    Colour colour = Colour::faint;
  };
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
  [[nodiscard]] std::string text(const Screen& screen, bool with_headings = true) const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<Cell>> rows_;
};

// Of spans, which are often short: "870ns", "12.3µs", "4.56ms", "1.23s", "2m 5s".
std::string format_span_duration(base::Duration duration);
// "2026-01-31 12:00:00.123", in UTC.
std::string format_time(base::WallTime time);

}  // namespace arca::cli::query
