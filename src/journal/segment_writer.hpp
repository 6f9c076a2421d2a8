// SegmentWriter: the one segment that a journal appends to. Keeps space reserved behind the last record, so that
// settlements can be written when the disk is full. Used by Journal only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arca/result.hpp"
#include "journal/segment_format.hpp"
#include "os/file_system.hpp"

namespace arca::journal {

// Not thread-safe; file() may be read and synced beside it.
class SegmentWriter {
 public:
  struct CreateOptions {
    std::string directory;
    SegmentHeader header;
    model::Totals totals;
    std::uint64_t reserve = 0;  // bytes to keep for settlements
    bool is_synced = false;     // on return the empty segment survives a power loss
  };
  // The file appears under its name with header and totals complete, or not at all.
  static Result<std::unique_ptr<SegmentWriter>> create(os::FileSystem& file_system, const CreateOptions& options);

  // Continues a segment that an earlier run left. What lies between `end` and `dirty_end` and in the last bytes
  // (a trailer) is overwritten with zeros before anything is appended.
  struct ResumeOptions {
    std::string path;
    SegmentHeader header;
    std::uint64_t end = 0;  // behind the last record
    std::uint64_t dirty_end = 0;
    bool has_trailer = false;
    std::vector<std::byte> index;
  };
  static Result<std::unique_ptr<SegmentWriter>> resume(os::FileSystem& file_system, ResumeOptions options);

  // Makes sure that `size` more bytes and the reserve behind them have disk blocks; ErrorCode::full if not.
  // Allocates in larger steps while the file stays below `size_limit`.
  Result<void> ensure_room(std::uint64_t size, std::uint64_t reserve, std::uint64_t size_limit);
  // Writes a record behind the last one and returns its offset. After a failure nothing of it is valid.
  Result<std::uint64_t> append(const RecordHeader& header, std::span<const base::Bytes> payload);

  // Closes for good: writes the index and gives back the reserve. Best effort: a segment without index is
  // only slower to open.
  void seal() noexcept;
  // Closes, to be resumed by a later run: writes the index, keeps the reserve.
  void rest() noexcept;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::uint64_t number() const noexcept { return header_.number; }
  [[nodiscard]] std::uint64_t end() const noexcept { return end_; }
  [[nodiscard]] std::uint64_t allocated_size() const noexcept { return allocated_; }
  // Bytes that seal() will add.
  [[nodiscard]] std::uint64_t index_size() const noexcept { return record_size(index_.size()) + trailer_size; }
  [[nodiscard]] const std::shared_ptr<os::File>& file() const noexcept { return file_; }

 private:
  SegmentWriter(std::shared_ptr<os::File> file, std::string path, SegmentHeader header) noexcept;
  void note(const RecordHeaderBytes& bytes, std::uint64_t offset);
  Result<void> clean();
  Result<void> write_zeros(std::uint64_t from, std::uint64_t to);
  Result<void> write_index(std::uint64_t trailer_offset);

  std::shared_ptr<os::File> file_;
  std::string path_;
  SegmentHeader header_;
  std::uint64_t end_ = 0;
  std::uint64_t allocated_ = 0;
  std::uint64_t dirty_end_ = 0;
  bool has_trailer_ = false;
  bool is_indexed_ = true;  // false once there are too many records to keep an index of
  std::vector<std::byte> index_;
};

}  // namespace arca::journal
