// The grammar of records in a pool chunk, and how a range of them becomes one export request.
//
// A record is a protobuf field 2 (tag 0x12, length, message): a Span, LogRecord or Metric, exactly as it
// stands inside ScopeSpans, ScopeLogs or ScopeMetrics. Before the first record of a chunk, and wherever
// the resource or scope changes, stands a context mark: the byte 0x01 and the ContextId as four bytes.
// ResourceX and ScopeX have the same field numbers for all three signals (1 resource or scope, 2 children,
// 3 schema URL), so the framing does not depend on the signal.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/bytes.hpp"

namespace arca::model {

using ContextId = std::uint32_t;
inline constexpr ContextId no_context = 0;
inline constexpr std::byte record_tag{0x12};
inline constexpr std::byte context_mark{0x01};
inline constexpr std::size_t context_mark_size = 5;

// Resource and scope as wire bytes: all fields of ResourceX but the scopes, all of ScopeX but the records.
struct ContextView {
  base::Bytes resource_fields;
  base::Bytes scope_fields;
};

// Records that stand together under one context: a slice of the range.
struct Run {
  ContextId context = no_context;
  base::Bytes records;
  std::uint32_t record_count = 0;
};

struct Walk {
  std::vector<Run> runs;
  std::size_t valid_size = 0;  // bytes of the range that follow the grammar
  ContextId last_context = no_context;
  [[nodiscard]] bool whole(base::Bytes range) const noexcept { return valid_size == range.size(); }
};

// Walks a range that begins under `context`. Never reads outside it; stops at the first bytes that do
// not follow the grammar (valid_size tells where).
Walk walk_records(base::Bytes range, ContextId context);

// Frames runs as one Export*ServiceRequest: slices of `framing` (which the caller keeps alive and must not
// move afterwards) alternate with the runs' own bytes. Nothing if a context is unknown.
struct FramedRequest {
  std::vector<std::byte> framing;
  std::vector<base::Bytes> slices;
};
std::optional<FramedRequest> frame_request(const std::vector<Run>& runs,
                                           const std::function<std::optional<ContextView>(ContextId)>& context_of);

}  // namespace arca::model
