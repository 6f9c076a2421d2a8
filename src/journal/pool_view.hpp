// PoolView: a pool file seen from outside, live or after a crash, without changing or mapping it. Used by `arca
// status` and `arca inspect`. It believes nothing: every offset is checked, damage is reported and stepped over.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arca/result.hpp"
#include "journal/pool_layout.hpp"
#include "model/record_grammar.hpp"
#include "model/totals.hpp"

namespace arca::journal {

struct RangeInfo {
  std::uint64_t sequence = 0;
  layout::RangeState state = layout::RangeState::free;
  std::uint32_t begin = 0, end = 0, item_count = 0;
  model::ContextId context = model::no_context;
  std::int64_t sealed_at_ns = 0;
};

struct ChunkInfo {
  std::uint32_t index = 0;
  layout::ChunkState state = layout::ChunkState::free;
  model::Signal signal = model::Signal::traces;
  std::uint32_t capacity = 0;
  layout::Committed committed;
  std::uint32_t sealed_bytes = 0, sealed_items = 0;
  model::ContextId sealed_context = model::no_context;
  std::int64_t owner_thread = 0;
  std::uint64_t open_order = 0;
  std::vector<RangeInfo> ranges;
};

struct PoolInfo {
  std::uint64_t writer = 0;
  std::int64_t created_at_ns = 0;
  std::int64_t process_id = 0;
  std::uint64_t file_size = 0;
  std::uint64_t next_sequence = 0;
  std::uint32_t small_count = 0, large_count = 0;
  model::Totals totals;  // accepted includes what is in chunks
  std::array<std::uint64_t, model::signal_count> in_memory{};
  std::uint64_t bytes_in_memory = 0;  // committed, without a verdict
  std::optional<std::int64_t> oldest_sealed_at_ns;
  std::string status_json;        // what the process said of itself last; may be empty
  std::vector<ChunkInfo> chunks;  // those in use
  std::vector<std::string> damage;
  bool consistent = true;  // false: a live writer changed it all the time; the figures may disagree slightly

  // Whether this chunk is still what it was: its memory was not used again.
  [[nodiscard]] bool has(const ChunkInfo& chunk) const noexcept;
};

// Not thread-safe.
class PoolView {
 public:
  static Result<PoolView> open(const std::string& path);
  ~PoolView();
  PoolView(PoolView&& other) noexcept;
  PoolView& operator=(PoolView&&) = delete;

  // Reads header and table, again if a live writer changed them meanwhile.
  Result<PoolInfo> read() const;
  // The committed bytes of a chunk, or a part of them; shorter if the file is.
  [[nodiscard]] std::vector<std::byte> chunk_bytes(const ChunkInfo& chunk) const;
  // Resource and scope bytes by id - 1; ends at the first damaged entry.
  struct Context {
    std::vector<std::byte> resource_fields, scope_fields;
  };
  [[nodiscard]] std::vector<Context> contexts() const;

 private:
  PoolView(int descriptor, std::string path, layout::Geometry geometry) noexcept;
  int descriptor_;
  std::string path_;
  layout::Geometry geometry_;
};

}  // namespace arca::journal
