// SegmentReader: a read-only magnifying glass over one segment file. Opens nothing for writing, reads as much as
// possible of a damaged file, hides nothing: what is not a record is given as a gap or as the tail. Used by
// Journal when it opens and by `arca inspect` and `arca query`.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arca/result.hpp"
#include "journal/segment_format.hpp"
#include "os/file_system.hpp"

namespace arca::journal {

struct SegmentItem {
  enum class Kind : std::uint8_t {
    record,  // a valid header, and a payload that lies within the file (its checksum is not looked at)
    gap,     // damaged bytes with valid records behind them
    end,     // the end; `size` bytes follow that are no record
  };
  Kind kind = Kind::end;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  // in the file, header and padding included
  bool is_zeros = false;   // end: what follows is space reserved and never written
  RecordHeader header;     // record only
};

// Not thread-safe.
class SegmentReader {
 public:
  // ErrorCode::io or not_found if the file cannot be read at all; damage is not an error.
  static Result<SegmentReader> open(os::FileSystem& file_system, const std::string& path);

  // The state of the header: when it is `damaged`, records can often be read all the same.
  [[nodiscard]] HeaderState header_state() const noexcept { return header_.state; }
  [[nodiscard]] const SegmentHeader& header() const noexcept { return header_.header; }
  // Whether the file begins as a segment does or holds at least one record of ours.
  [[nodiscard]] bool is_readable() const noexcept { return record_magic_.has_value(); }
  [[nodiscard]] std::uint64_t file_size() const noexcept { return file_size_; }
  // Whether the segment was closed in order.
  [[nodiscard]] bool is_closed() const noexcept { return index_offset_.has_value(); }
  [[nodiscard]] std::optional<std::uint64_t> index_offset() const noexcept { return index_offset_; }

  // The next item in the order of the file; after `end` always `end` again.
  Result<SegmentItem> next();
  void seek(std::uint64_t offset) noexcept { position_ = offset; }

  // All chunks and settlements from the index of a closed segment, without reading their payloads; nothing when
  // the segment was not closed or its index is damaged.
  Result<std::optional<std::vector<SegmentItem>>> read_index();

  // A record's payload; nothing if its checksum does not match.
  Result<std::optional<std::vector<std::byte>>> read_payload(const SegmentItem& item);
  // The totals before this segment; nothing if they are damaged.
  Result<std::optional<model::Totals>> read_totals();
  // Raw bytes, for keeping damaged parts aside; short at the end of the file.
  Result<std::vector<std::byte>> read_bytes(std::uint64_t offset, std::uint64_t size);

 private:
  SegmentReader(std::unique_ptr<os::File> file, std::uint64_t file_size) noexcept;
  Result<void> read_head();
  Result<base::Bytes> view(std::uint64_t offset, std::size_t size);
  Result<std::optional<SegmentItem>> record_at(std::uint64_t offset);
  // The same, but not from what was read before.
  Result<std::optional<SegmentItem>> fresh_record_at(std::uint64_t offset);
  SegmentItem pass(const SegmentItem& record) noexcept;
  Result<SegmentItem> resynchronise();
  Result<bool> is_all_zeros(std::uint64_t offset, std::uint64_t end);

  std::unique_ptr<os::File> file_;
  std::uint64_t file_size_;
  std::uint64_t data_end_;  // the trailer, if there is one, lies behind it
  DecodedSegmentHeader header_;
  std::optional<std::uint64_t> record_magic_;
  std::optional<std::uint64_t> index_offset_;
  std::uint64_t position_ = segment_header_size;
  std::vector<std::byte> window_;
  std::uint64_t window_offset_ = 0;
};

}  // namespace arca::journal
