// gzip by ISA-L: compresses a payload's slices where they lie, and reads compressed answers within a bound.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "model/chunk.hpp"

namespace arca::net {

// One gzip member (level 1). Nothing only if memory runs out or ISA-L refuses.
[[nodiscard]] std::optional<std::vector<std::byte>> gzip(const model::Payload& payload);

// Nothing if it is no whole gzip member, or would be larger than `size_max`.
[[nodiscard]] std::optional<std::vector<std::byte>> gunzip(base::Bytes compressed, std::size_t size_max);

}  // namespace arca::net
