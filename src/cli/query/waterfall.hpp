// The waterfall: one trace as a tree of spans beside bars in time, each with its errors, events, links and log records.
// Used by `arca query trace`.
#pragma once

#include <string>

#include "cli/query/records.hpp"
#include "cli/query/screen.hpp"

namespace arca::cli::query {

struct WaterfallOptions {
  bool details = false;  // attributes and ids of every span, stack traces, everything at full length
};

std::string draw_waterfall(const TraceId& id, const TraceRecords::Trace& trace, const Screen& screen,
                           const WaterfallOptions& options);

}  // namespace arca::cli::query
