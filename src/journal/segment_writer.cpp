#include "journal/segment_writer.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "os/log.hpp"

namespace arca::journal {
namespace {

constexpr std::uint64_t allocation_step = 1ULL << 20U;
constexpr std::size_t index_size_max = 4U << 20U;  // 75 thousand records

RecordHeader header_of(RecordType type, base::Bytes payload) noexcept {
  RecordHeader header;
  header.type = type;
  header.payload_size = static_cast<std::uint32_t>(payload.size());
  header.payload_crc = base::crc32c(payload);
  return header;
}

}  // namespace

SegmentWriter::SegmentWriter(std::shared_ptr<os::File> file, std::string path, SegmentHeader header) noexcept
    : file_(std::move(file)), path_(std::move(path)), header_(header) {}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::create(os::FileSystem& file_system,
                                                             const CreateOptions& options) {
  const std::string path = options.directory + "/" + segment_name(options.header.number);
  const std::string new_path = path + ".new";
  if (const auto removed = file_system.remove(new_path); !removed) return failure(removed.error());
  Result<std::unique_ptr<os::File>> file = file_system.open(new_path, os::OpenMode::create_new);
  if (!file) return failure(file.error());

  const std::vector<std::byte> totals = encode_totals(options.totals);
  const SegmentHeaderBytes head = encode_segment_header(options.header);
  const RecordHeaderBytes totals_head =
      encode_record_header(header_of(RecordType::totals, totals), options.header.record_magic, segment_header_size);
  const std::array<base::Bytes, 3> slices{head, totals_head, totals};
  const std::uint64_t allocated = first_record_offset + options.reserve;

  Result<void> done = (*file)->allocate(0, allocated);
  if (done) done = (*file)->write_at(0, slices);
  if (done && options.is_synced) done = (*file)->sync();
  if (done) done = file_system.rename(new_path, path);
  if (done && options.is_synced) done = file_system.sync_directory(options.directory);
  if (!done) {
    file->reset();
    static_cast<void>(file_system.remove(new_path));  // an empty file that nobody will miss
    return failure(done.error().with_context("begin a segment"));
  }
  std::unique_ptr<SegmentWriter> writer(new SegmentWriter(std::move(*file), path, options.header));
  writer->end_ = first_record_offset;
  writer->allocated_ = allocated;
  return writer;
}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::resume(os::FileSystem& file_system, ResumeOptions options) {
  Result<std::unique_ptr<os::File>> file = file_system.open(options.path, os::OpenMode::read_write);
  if (!file) return failure(file.error());
  const Result<std::uint64_t> size = (*file)->size();
  if (!size) return failure(size.error());
  std::unique_ptr<SegmentWriter> writer(new SegmentWriter(std::move(*file), options.path, options.header));
  writer->end_ = options.end;
  writer->allocated_ = *size;
  writer->dirty_end_ = options.dirty_end;
  writer->has_trailer_ = options.has_trailer;
  writer->index_ = std::move(options.index);
  writer->is_indexed_ = writer->index_.size() <= index_size_max;
  return writer;
}

Result<void> SegmentWriter::ensure_room(std::uint64_t size, std::uint64_t reserve, std::uint64_t size_limit) {
  if (const Result<void> cleaned = clean(); !cleaned) return cleaned;
  const std::uint64_t needed = end_ + size + reserve;
  if (needed <= allocated_) return {};
  const std::uint64_t generous = std::min((needed / allocation_step + 1) * allocation_step, size_limit);
  if (generous > needed && file_->allocate(allocated_, generous - allocated_)) {
    allocated_ = generous;
    return {};
  }
  const Result<void> done = file_->allocate(allocated_, needed - allocated_);
  if (!done) return done;
  allocated_ = needed;
  return {};
}

Result<std::uint64_t> SegmentWriter::append(const RecordHeader& header, std::span<const base::Bytes> payload) {
  static constexpr std::array<std::byte, record_alignment> padding{};
  if (const Result<void> cleaned = clean(); !cleaned) return failure(cleaned.error());
  const std::uint64_t offset = end_;
  const RecordHeaderBytes bytes = encode_record_header(header, header_.record_magic, offset);
  std::vector<base::Bytes> slices;
  slices.reserve(payload.size() + 2);
  slices.emplace_back(bytes);
  slices.insert(slices.end(), payload.begin(), payload.end());
  const std::uint64_t size = record_size(header.payload_size);
  slices.push_back(
      base::Bytes(padding).first(static_cast<std::size_t>(size - record_header_size - header.payload_size)));
  if (const Result<void> written = file_->write_at(offset, slices); !written) {
    // Whatever part of it is there must not be taken for a record: erase it before the next append.
    dirty_end_ = std::max(dirty_end_, std::min(offset + size, allocated_));
    return failure(written.error());
  }
  end_ = offset + size;
  allocated_ = std::max(allocated_, end_);
  if (header.type == RecordType::chunk || header.type == RecordType::settle) note(bytes, offset);
  return offset;
}

void SegmentWriter::note(const RecordHeaderBytes& bytes, std::uint64_t offset) {
  if (!is_indexed_) return;
  if (index_.size() >= index_size_max) {
    is_indexed_ = false;
    index_ = {};
    return;
  }
  index_.insert(index_.end(), bytes.begin(), bytes.end());
  base::store(index_.data() + index_.size() - index_entry_size, offset);
}

// The trailer goes first: as long as it is there, the index behind the records is believed.
Result<void> SegmentWriter::clean() {
  if (has_trailer_) {
    if (const auto done = write_zeros(allocated_ - trailer_size, allocated_); !done) return done;
    has_trailer_ = false;
  }
  if (dirty_end_ > end_) {
    if (const auto done = write_zeros(end_, dirty_end_); !done) return done;
  }
  dirty_end_ = 0;
  return {};
}

Result<void> SegmentWriter::write_zeros(std::uint64_t from, std::uint64_t to) {
  static constexpr std::array<std::byte, 4096> zeros{};
  while (from < to) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), to - from));
    const std::array<base::Bytes, 1> slice{base::Bytes(zeros).first(size)};
    if (const auto done = file_->write_at(from, slice); !done) return done;
    from += size;
  }
  return {};
}

Result<void> SegmentWriter::write_index(std::uint64_t trailer_offset) {
  if (const Result<void> cleaned = clean(); !cleaned) return cleaned;
  const std::uint64_t offset = end_;
  const RecordHeaderBytes bytes =
      encode_record_header(header_of(RecordType::index, index_), header_.record_magic, offset);
  const std::array<base::Bytes, 2> slices{bytes, index_};
  if (const auto done = file_->write_at(offset, slices); !done) return done;
  const TrailerBytes trailer = encode_trailer(offset, header_.record_magic);
  const std::array<base::Bytes, 1> trailer_slice{trailer};
  return file_->write_at(trailer_offset, trailer_slice);
}

void SegmentWriter::seal() noexcept {
  Result<void> done = file_->truncate(is_indexed_ ? end_ + index_size() : end_);
  if (done) allocated_ = is_indexed_ ? end_ + index_size() : end_;
  dirty_end_ = std::min(dirty_end_, allocated_);
  if (done && is_indexed_) {
    has_trailer_ = false;
    done = write_index(end_ + record_size(index_.size()));
  }
  if (!done) os::log(os::LogLevel::warn, "segment closed without index: {}", done.error().message());
}

void SegmentWriter::rest() noexcept {
  if (has_trailer_ || !is_indexed_) return;  // nothing was written since it was resumed
  Result<void> done;
  if (end_ + index_size() > allocated_) {
    done = file_->allocate(allocated_, end_ + index_size() - allocated_);
    if (done) allocated_ = end_ + index_size();
  }
  if (done) done = write_index(allocated_ - trailer_size);
  if (!done) os::log(os::LogLevel::debug, "segment closed without index: {}", done.error().message());
}

}  // namespace arca::journal
