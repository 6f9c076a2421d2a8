// RowJoiner: joins the trace_data of rows, in the order of their tokens, to export requests of a size. Used by
// RowScanner.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "model/chunk.hpp"

namespace arca::cassandra {

// A request made of rows. TracesData and ExportTraceServiceRequest have the same one field, so that two of them put end
// to end are one.
struct JoinedRows {
  model::Payload request;
  std::uint32_t span_count = 0;
  std::uint64_t row_count = 0;
  std::int64_t safe_token = 0;  // with it, all rows up to this token are settled
};

// Not thread-safe.
class RowJoiner {
 public:
  // Of rows behind `begin_token`.
  RowJoiner(std::uint64_t size_max, std::int64_t begin_token);

  struct Taken {
    std::optional<JoinedRows> before;  // what was full without this row
    std::string refusal;               // why the row is not sent; empty: it is
  };
  Taken add(std::int64_t token, base::Bytes trace_data);
  // What is left; with it everything is settled up to the last token that was added.
  std::optional<JoinedRows> finish();
  [[nodiscard]] std::int64_t begin_token() const noexcept { return begin_token_; }

 private:
  JoinedRows take();

  const std::uint64_t size_max_;
  const std::int64_t begin_token_;
  std::vector<std::byte> bytes_;
  std::uint32_t span_count_ = 0;
  std::uint64_t row_count_ = 0;
  std::int64_t token_;       // of the last row
  std::int64_t safe_token_;  // the last one of which no row comes any more
};

}  // namespace arca::cassandra
