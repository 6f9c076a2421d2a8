#include "cli/query/waterfall.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include "cli/query/span_details.hpp"
#include "cli/query/trace_tree.hpp"
#include "cli/terminal_text.hpp"

namespace arca::cli::query {

namespace {

constexpr std::size_t duration_columns = 7;
constexpr std::size_t mark_columns = 2;      // of a failed span, behind its duration
constexpr std::size_t bar_columns_min = 12;  // narrower ones say nothing
constexpr std::size_t name_columns_min = 24;
constexpr std::size_t indent_columns = 3;  // of one level

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

// Draws one trace. Not thread-safe.
class Waterfall {
 public:
  Waterfall(const TraceId& id, const TraceRecords::Trace& trace, const Screen& screen, const WaterfallOptions& options)
      : id_(id), trace_(trace), screen_(screen), options_(options), nodes_(order_tree(trace.spans)) {
    for (const SpanRecord& each : trace.spans) {
      start_ = std::min(start_, each.span.start_time);
      end_ = std::max({end_, each.span.end_time, each.span.start_time});
    }
    if (trace.spans.empty()) {
      for (const LogRecord& each : trace.logs) start_ = std::min(start_, time_of(each.log));
    }
    end_ = std::max(end_, start_);
    for (const LogRecord& each : trace.logs) logs_[span_key(each.log.span_id)].push_back(&each);
    choose_columns();
  }

  std::string draw() {
    draw_head();
    if (!nodes_.empty()) draw_scale();
    for (std::size_t i = 0; i < nodes_.size(); ++i) draw_span(i);
    draw_rest();
    return std::move(text_);
  }

 private:
  static std::string_view span_key(base::Bytes id) noexcept { return base::as_text(id); }

  // --- where things stand ----------------------------------------------------------------------------
  // Levels that are drawn: deeper spans stand at the last one, with their depth in front.
  [[nodiscard]] std::uint32_t level_max() const noexcept {
    return static_cast<std::uint32_t>(std::max<std::size_t>(2, screen_.columns / 3 / indent_columns));
  }
  void choose_columns() {
    std::size_t natural = 0;
    for (const TraceNode& node : nodes_) {
      natural = std::max(natural, indent_columns * std::min(node.depth, level_max()) + column_count(label_of(node)));
    }
    const std::size_t fixed = duration_columns + mark_columns + 4;
    const std::size_t room = screen_.columns > fixed ? screen_.columns - fixed : 1;
    // The names take what they need up to half of the room, more if that leaves the bars enough.
    name_columns_ = std::min(natural, std::max(room / 2, std::min(name_columns_min, room)));
    bar_columns_ = room > name_columns_ ? room - name_columns_ : 0;
    if (bar_columns_ < bar_columns_min) {
      bar_columns_ = 0;
      name_columns_ = std::min(natural, room + 2);
    }
  }

  // What is deeper than the tree is drawn says how deep.
  [[nodiscard]] std::string label_of(const TraceNode& node) const {
    return (node.depth > level_max() ? fmt::format("{} ", node.depth) : "") +
           printable(node.span->record.context->service) + "  " + printable(node.span->span.name);
  }

  // Lines from the ancestors that have siblings below, and the branch to the span itself.
  [[nodiscard]] std::string branches(std::size_t index, bool for_details) const {
    std::vector<const TraceNode*> path;  // from below the root to the span
    for (std::size_t i = index; i != TraceNode::none && nodes_[i].depth > 0; i = nodes_[i].parent) {
      path.push_back(&nodes_[i]);
    }
    std::reverse(path.begin(), path.end());
    const std::size_t levels = std::min<std::size_t>(path.size(), level_max());
    std::string text;
    for (std::size_t i = 0; i < levels; ++i) {
      const bool is_own = i + 1 == path.size() && !for_details;
      if (i + 1 == levels && levels < path.size() && !for_details) {
        text += screen_.draw("⋯  ", "~  ");
      } else if (is_own) {
        text += path[i]->is_last ? screen_.draw("└─ ", "`- ") : screen_.draw("├─ ", "|- ");
      } else {
        text += path[i]->is_last ? "   " : screen_.draw("│  ", "|  ");
      }
    }
    if (for_details) text += nodes_[index].has_children ? screen_.draw("│  ", "|  ") : "   ";
    return text;
  }

  // --- what is drawn -----------------------------------------------------------------------------------
  void line(std::string text) {
    while (text.ends_with(' ')) text.pop_back();
    text_ += text + "\n";
  }

  void draw_head() {
    std::set<std::string_view> services;
    std::size_t errors = 0;
    std::size_t orphans = 0;
    PlaceSet places;
    for (const TraceNode& node : nodes_) {
      services.insert(node.span->record.context->service);
      errors += node.span->span.status_code == otlp::span_status_error ? 1 : 0;
      orphans += node.is_orphan ? 1 : 0;
      places.insert(node.span->places);
    }
    for (const LogRecord& each : trace_.logs) places.insert(each.places);
    line(screen_.paint(Colour::strong, "trace " + otlp::to_hex(id_)));
    const std::string_view dot = screen_.draw(" · ", ", ");
    std::string facts = format_time(to_wall_time(start_)) + " UTC";
    facts += fmt::format("{}{}", dot, screen_.shown(format_span_duration(to_wall_time(end_) - to_wall_time(start_))));
    facts += fmt::format("{}{}{}{}", dot, counted(nodes_.size(), "span"), dot, counted(services.size(), "service"));
    if (!trace_.logs.empty()) facts += fmt::format("{}{}", dot, counted(trace_.logs.size(), "log record"));
    if (errors != 0) facts += std::string(dot) + screen_.paint(Colour::bad, counted(errors, "error"));
    line(facts);
    line(screen_.paint(Colour::faint, "in " + to_string(places)));
    if (orphans != 0) {
      line(screen_.paint(Colour::warning, counted(orphans, "span") + " whose parent is not here"));
    }
    line("");
  }

  void draw_scale() {
    if (bar_columns_ == 0) return;
    const std::string total = screen_.shown(format_span_duration(to_wall_time(end_) - to_wall_time(start_)));
    std::string scale = "0";
    if (bar_columns_ > column_count(total) + 2) scale += pad_left(total, bar_columns_ - 1);
    line(std::string(name_columns_ + 2, ' ') + screen_.paint(Colour::faint, scale));
  }

  void draw_span(std::size_t index) {
    const TraceNode& node = nodes_[index];
    const otlp::SpanView& span = node.span->span;
    const bool failed = span.status_code == otlp::span_status_error;
    const std::string tree = branches(index, false);
    const std::string service = printable(node.span->record.context->service);
    const std::size_t tree_columns = column_count(tree);
    std::string shown = pad_right(label_of(node), name_columns_ > tree_columns ? name_columns_ - tree_columns : 1);
    shown = screen_.shown(shown);
    // The service in its colour, if it is whole.
    const std::string head = screen_.shown(service);
    if (!head.empty() && shown.starts_with(head)) {
      shown = screen_.paint(Colour::service, head, service) + shown.substr(head.size());
    }
    std::string text = screen_.paint(Colour::faint, tree) + shown + "  ";
    if (bar_columns_ != 0) text += bar(span, failed, service) + "  ";
    text += pad_left(screen_.shown(format_span_duration(duration_of(span))), duration_columns);
    if (failed) text += screen_.paint(Colour::bad, screen_.draw(" ✗", " !"));
    line(text);
    draw_details(index);
  }

  // In half columns; even the shortest span has one.
  [[nodiscard]] std::string bar(const otlp::SpanView& span, bool failed, const std::string& service) const {
    const std::size_t halves = 2 * bar_columns_;
    const double scale = static_cast<double>(halves) / static_cast<double>(std::max<std::uint64_t>(end_ - start_, 1));
    const auto at = [&](std::uint64_t time) {
      const std::uint64_t inside = std::clamp(time, start_, end_) - start_;
      return std::min(halves, static_cast<std::size_t>(std::lround(static_cast<double>(inside) * scale)));
    };
    const std::size_t first = std::min(at(span.start_time), halves - 1);
    const std::size_t last = std::max(at(std::max(span.end_time, span.start_time)), first + 1);
    std::string cells;
    for (std::size_t cell = first / 2; 2 * cell < last; ++cell) {
      const bool left = 2 * cell >= first;
      const bool right = 2 * cell + 1 < last;
      cells += left && right ? screen_.draw("█", "=") : left ? screen_.draw("▌", "=") : screen_.draw("▐", "=");
    }
    const std::size_t used = first / 2 + column_count(cells);
    return std::string(first / 2, ' ') +
           (failed ? screen_.paint(Colour::bad, cells) : screen_.paint(Colour::service, cells, service)) +
           std::string(bar_columns_ - std::min(used, bar_columns_), ' ');
  }

  void draw_details(std::size_t index) {
    const TraceNode& node = nodes_[index];
    const auto at = logs_.find(span_key(node.span->span.span_id));
    static const std::vector<const LogRecord*> none;
    const auto& logs = at == logs_.end() ? none : at->second;
    const auto details = span_details(*node.span, logs, start_, options_.details, screen_);
    if (at != logs_.end()) logs_.erase(at);
    if (details.empty()) return;
    const std::string tree = branches(index, true);
    for (const DetailLine& detail : details) draw_detail(tree, detail);
  }

  void draw_detail(const std::string& tree, const DetailLine& detail) {
    const std::size_t used = column_count(tree) + 2;
    const std::size_t room = screen_.columns > used + 10 ? screen_.columns - used : 10;
    const std::string text = options_.details ? detail.text : fit(detail.text, room);
    line(screen_.paint(Colour::faint, tree) + screen_.paint(detail.colour, detail.mark + " " + screen_.shown(text)));
  }

  // Log records of spans that are not here, or of none.
  void draw_rest() {
    std::vector<const LogRecord*> rest;
    for (const auto& [span, logs] : logs_) rest.insert(rest.end(), logs.begin(), logs.end());
    if (!rest.empty()) {
      std::stable_sort(rest.begin(), rest.end(),
                       [](const LogRecord* a, const LogRecord* b) { return time_of(a->log) < time_of(b->log); });
      line("");
      line(screen_.paint(Colour::faint, nodes_.empty() ? "log records of the trace, of which no span is here"
                                                       : "log records of the trace, of spans that are not here"));
      for (const LogRecord* log : rest) draw_detail("", log_detail(*log, start_, screen_));
    }
    if (trace_.cut) line(screen_.paint(Colour::warning, "there is more than --limit allows to show"));
  }

  const TraceId& id_;
  const TraceRecords::Trace& trace_;
  const Screen& screen_;
  const WaterfallOptions& options_;
  const std::vector<TraceNode> nodes_;
  std::unordered_map<std::string_view, std::vector<const LogRecord*>> logs_;  // by span, not yet drawn
  std::uint64_t start_ = UINT64_MAX;
  std::uint64_t end_ = 0;
  std::size_t name_columns_ = 0;
  std::size_t bar_columns_ = 0;
  std::string text_;
};

}  // namespace

std::string draw_waterfall(const TraceId& id, const TraceRecords::Trace& trace, const Screen& screen,
                           const WaterfallOptions& options) {
  return Waterfall(id, trace, screen, options).draw();
}

}  // namespace arca::cli::query
