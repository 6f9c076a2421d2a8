// RowMaker: makes the rows of one chunk of traces, batch by batch, so that a chunk needs little more memory than itself
// however large its resource is. Used by RowWriter, and by rows_of().
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "arca/result.hpp"
#include "base/bytes.hpp"
#include "cassandra/row_writer.hpp"

namespace arca::cassandra {

// One unlogged batch: Cassandra warns from 5 KiB on and refuses from 50 KiB on, unless told otherwise.
inline constexpr std::size_t batch_rows_max = 100;
inline constexpr std::size_t batch_bytes_max = 48U << 10U;
inline constexpr std::size_t row_bytes_max = stored_bytes_max;  // a larger span is in its chunk only

// Not thread-safe. Keeps its buffers from chunk to chunk.
class RowMaker {
 public:
  // Begins a chunk. The request is borrowed until the next one. ErrorCode::corrupt: nothing of it becomes rows.
  Result<void> read(base::Bytes request);
  // The next batch: rows of one trace, within the limits (a single row may be larger). Nothing: that was all.
  std::optional<TraceRows> next();

  // Of the chunk, from read() on. Divided so that each is a batch of its own.
  [[nodiscard]] std::vector<TraceEntries> entries() const;
  [[nodiscard]] std::vector<std::pair<std::string, std::vector<std::string>>> names() const;
  [[nodiscard]] std::uint64_t skipped_item_count() const noexcept { return skipped_item_count_; }

 private:
  // What all spans of one scope share: the fields of ResourceSpans and of ScopeSpans but for the children.
  struct Group {
    std::size_t resource_begin = 0;  // in fields_
    std::size_t resource_size = 0;
    std::size_t scope_begin = 0;
    std::size_t scope_size = 0;
    std::uint32_t service = 0;       // in services_
    std::size_t service_offset = 0;  // of the name among the resource's fields
    bool has_service = false;        // it stands there as it is
  };
  struct Span {
    std::uint64_t trace_high = 0;  // big-endian, so that they sort as their digits do
    std::uint64_t trace_low = 0;
    base::Bytes trace_id;
    base::Bytes span_id;
    base::Bytes message;
    std::string_view name;
    std::uint64_t start = 0;
    std::uint64_t end = 0;
    std::uint32_t group = 0;
    bool is_root = true;
    bool is_error = false;
  };
  bool read_resource(base::Bytes resource_spans);
  bool read_scope(base::Bytes scope_spans, Group group);
  bool read_span(base::Bytes message, std::uint32_t group);
  std::uint32_t service_index(std::string_view name);
  [[nodiscard]] std::size_t data_size(const Span& span) const noexcept;
  std::byte* write_data(std::byte* to, const Span& span, SpanRow& row) const noexcept;
  void sort_spans();

  std::vector<std::byte> fields_;
  std::vector<Group> groups_;
  std::vector<Span> spans_;
  std::vector<Span> sorting_;
  std::vector<std::string> services_;  // well-formed, shortened for keys
  std::size_t at_ = 0;                 // of next()
  std::uint64_t skipped_item_count_ = 0;
};

}  // namespace arca::cassandra
