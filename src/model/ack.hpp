// Ack: a sink's verdict on one chunk. A verdict by the other side is not an error of ours.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "model/chunk.hpp"

namespace arca::model {

enum class Verdict : std::uint8_t {
  delivered = 1,  // the Collector took it (all but refused_item_count of its items)
  parked = 2,     // an overflow tier holds it durably
  rejected = 3,   // answered "never send this again": it goes to the quarantine
  retry = 4,      // not taken; may be sent again
  unknown = 5,    // no answer: it may have been taken
};

enum class Tier : std::uint8_t { none = 0, journal = 1, cassandra = 2 };

struct Ack {
  ChunkId chunk_id;
  Verdict verdict = Verdict::unknown;
  Tier tier = Tier::none;                     // where it is parked
  std::uint32_t refused_item_count = 0;       // partial success: taken, but for these
  std::optional<base::Duration> retry_after;  // the server named the wait (already clamped)
  std::string reason;                         // for people: status code and message
};

constexpr bool is_settled(Verdict verdict) noexcept {
  return verdict == Verdict::delivered || verdict == Verdict::parked || verdict == Verdict::rejected;
}
std::string_view to_string(Verdict verdict) noexcept;

}  // namespace arca::model
