#include "cli/query/trace_tree.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace arca::cli::query {

namespace {

// Not thread-safe.
class Ordering {
 public:
  explicit Ordering(const std::vector<SpanRecord>& spans) : spans_(spans), children_(spans.size()) {
    std::unordered_map<std::string_view, std::size_t> by_id;
    for (std::size_t i = 0; i < spans.size(); ++i) by_id.try_emplace(base::as_text(spans[i].span.span_id), i);
    for (std::size_t i = 0; i < spans.size(); ++i) {
      const otlp::SpanView& span = spans[i].span;
      const auto at = has_parent(span) ? by_id.find(base::as_text(span.parent_span_id)) : by_id.end();
      (at == by_id.end() || at->second == i ? roots_ : children_[at->second]).push_back(i);
    }
    for (auto& siblings : children_) sort(siblings);
    sort(roots_);
  }

  std::vector<TraceNode> run() {
    visited_.assign(spans_.size(), false);
    for (std::size_t i = 0; i < roots_.size(); ++i) visit(roots_[i], i + 1 == roots_.size());
    if (order_.size() == spans_.size()) return std::move(order_);
    // The rest are rings of parents: the earliest of each ring is taken for its root.
    std::vector<std::size_t> rest;
    for (std::size_t i = 0; i < spans_.size(); ++i) {
      if (!visited_[i]) rest.push_back(i);
    }
    sort(rest);
    for (const std::size_t each : rest) {
      if (!visited_[each]) visit(each, true);
    }
    return std::move(order_);
  }

 private:
  struct Step {
    std::size_t span;
    std::size_t parent;
    std::uint32_t depth;
    bool is_last;
  };

  void sort(std::vector<std::size_t>& siblings) const {
    std::sort(siblings.begin(), siblings.end(), [&](std::size_t a, std::size_t b) {
      const otlp::SpanView& x = spans_[a].span;
      const otlp::SpanView& y = spans_[b].span;
      if (x.start_time != y.start_time) return x.start_time < y.start_time;
      return x.end_time != y.end_time ? x.end_time > y.end_time : base::as_text(x.span_id) < base::as_text(y.span_id);
    });
  }

  // Without recursion: a trace may be as deep as somebody likes.
  void visit(std::size_t root, bool is_last) {
    std::vector<Step> steps{{root, TraceNode::none, 0, is_last}};
    while (!steps.empty()) {
      const Step step = steps.back();
      steps.pop_back();
      if (visited_[step.span]) continue;
      visited_[step.span] = true;
      const std::size_t place = order_.size();
      const SpanRecord& span = spans_[step.span];
      const auto& children = children_[step.span];
      order_.push_back({&span, step.parent, step.depth, step.is_last, !children.empty(),
                        step.parent == TraceNode::none && has_parent(span.span)});
      for (std::size_t i = children.size(); i-- > 0;) {
        steps.push_back({children[i], place, step.depth + 1, i + 1 == children.size()});
      }
    }
  }

  const std::vector<SpanRecord>& spans_;
  std::vector<std::vector<std::size_t>> children_;
  std::vector<std::size_t> roots_;
  std::vector<TraceNode> order_;
  std::vector<bool> visited_;
};

}  // namespace

std::vector<TraceNode> order_tree(const std::vector<SpanRecord>& spans) { return Ordering(spans).run(); }

}  // namespace arca::cli::query
