// What stands below a span in the waterfall: its error, events, links, log records, and attributes if asked for, as
// lines without indentation. Used by waterfall.cpp.
#pragma once

#include <string>
#include <vector>

#include "cli/query/records.hpp"
#include "cli/query/screen.hpp"

namespace arca::cli::query {

struct DetailLine {
  std::string mark;  // one column
  std::string text;  // printable
  Colour colour = Colour::faint;
};

// `logs` are those of this span; `trace_start` is what times are told from.
std::vector<DetailLine> span_details(const SpanRecord& record, const std::vector<const LogRecord*>& logs,
                                     std::uint64_t trace_start, bool all, const Screen& screen);
DetailLine log_detail(const LogRecord& record, std::uint64_t trace_start, const Screen& screen);

}  // namespace arca::cli::query
