// Splits an export request in two, for receivers that find it too large. Used by the collector sink.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "model/signal.hpp"

namespace arca::otlp {

struct RequestHalf {
  std::vector<std::byte> request;
  std::uint32_t item_count = 0;
};

struct RequestHalves {
  RequestHalf first;
  RequestHalf second;
};

// Gives two whole requests with half of the items each (the first may have one less), in their order; what stands
// beside the items (resources, scopes, a metric's name) is in both where both need it. A metric is split between its
// points. Nothing when the request holds fewer than two items, or is damaged.
std::optional<RequestHalves> split_request(model::Signal signal, base::Bytes request);

}  // namespace arca::otlp
