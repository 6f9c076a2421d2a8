// CRC32C (Castagnoli), the checksum of everything that Arca keeps: journal records, ledger, pool header. Uses the
// processor's instruction where there is one (SSE4.2), a table elsewhere.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace arca::base {

// Continues a checksum: crc32c(ab) == crc32c(b, crc32c(a)).
std::uint32_t crc32c(Bytes bytes, std::uint32_t before = 0) noexcept;

// The fallback alone, so that tests can hold both to the same vectors.
std::uint32_t crc32c_by_table(Bytes bytes, std::uint32_t before = 0) noexcept;

}  // namespace arca::base
