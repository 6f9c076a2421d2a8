// Walks an Export*ServiceRequest and names each item by as little parsing as the sink's tracking needs. Used by Tally.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "model/signal.hpp"

namespace arca::cli::sink {

// What the sink can know an item by. Views point into the request.
struct SeenItem {
  base::Bytes span_id;             // spans: field span_id
  std::string_view stream;         // attribute test.stream when it is a string
  std::int64_t stream_number = 0;  // attribute test.stream when it is an integer
  bool stream_is_number = false;
  std::optional<std::int64_t> sequence;  // attribute test.seq, else arca.seq (logs), else bench.seq (spans)
};

struct WalkOptions {
  bool span_ids = true;
  bool sequences = false;
};

// Not thread-safe. Called once per item, in wire order; a plain function pointer and context, since this runs
// millions of times a second.
using ItemVisitor = void (*)(void* context, const SeenItem& item);

// Returns the number of items, or nothing if the bytes are no such request.
std::optional<std::uint64_t> walk_request(model::Signal signal, base::Bytes request, const WalkOptions& options,
                                          ItemVisitor visit, void* context);

}  // namespace arca::cli::sink
