// TraceTree: the spans of one trace in the order of a waterfall: children behind their parent, siblings by their start.
// What a crash or a lost host may have left is a tree all the same: spans whose parent is not there are roots, and a
// ring of parents is cut. Used by waterfall.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "cli/query/records.hpp"

namespace arca::cli::query {

struct TraceNode {
  static constexpr std::size_t none = SIZE_MAX;
  const SpanRecord* span = nullptr;
  std::size_t parent = none;  // its place in the order
  std::uint32_t depth = 0;
  bool is_last = true;  // of its siblings
  bool has_children = false;
  bool is_orphan = false;  // names a parent that is not there
};

std::vector<TraceNode> order_tree(const std::vector<SpanRecord>& spans);

}  // namespace arca::cli::query
