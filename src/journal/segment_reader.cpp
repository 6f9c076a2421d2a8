#include "journal/segment_reader.hpp"

#include <algorithm>

#include "base/crc32c.hpp"

namespace arca::journal {
namespace {

// Large enough to pass many small records in one read, small enough that hopping over large ones stays cheap.
constexpr std::size_t window_size = 16384;

}  // namespace

SegmentReader::SegmentReader(std::unique_ptr<os::File> file, std::uint64_t file_size) noexcept
    : file_(std::move(file)), file_size_(file_size), data_end_(file_size) {}

Result<SegmentReader> SegmentReader::open(os::FileSystem& file_system, const std::string& path) {
  Result<std::unique_ptr<os::File>> file = file_system.open(path, os::OpenMode::read);
  if (!file) return failure(file.error());
  const Result<std::uint64_t> size = (*file)->size();
  if (!size) return failure(size.error());
  SegmentReader reader(std::move(*file), *size);
  if (const Result<void> head = reader.read_head(); !head) return failure(head.error());
  return reader;
}

Result<void> SegmentReader::read_head() {
  const Result<base::Bytes> head = view(0, segment_header_size + record_header_size);
  if (!head) return failure(head.error());
  header_ = decode_segment_header(*head);
  if (header_.state == HeaderState::unknown_version) return {};
  if (header_.state == HeaderState::good) {
    record_magic_ = header_.header.record_magic;
  } else if (head->size() == segment_header_size + record_header_size) {
    // Every segment has a record right behind its header: if that one is whole, its magic opens the rest.
    const base::Bytes record = head->subspan(segment_header_size);
    const auto magic = base::load<std::uint64_t>(record.data());
    if (magic != 0 && decode_record_header(record, magic, segment_header_size)) record_magic_ = magic;
    if (!record_magic_ && base::load<std::uint64_t>(head->data()) != segment_magic) {
      header_.state = HeaderState::foreign;
    } else if (!record_magic_ && header_.header.record_magic != 0) {
      record_magic_ = header_.header.record_magic;  // perhaps the damage is elsewhere in the header
    }
  }
  if (!record_magic_ || file_size_ < first_record_offset + trailer_size) return {};
  const Result<base::Bytes> trailer = view(file_size_ - trailer_size, trailer_size);
  if (!trailer) return failure(trailer.error());
  index_offset_ = decode_trailer(*trailer, *record_magic_);
  if (index_offset_) data_end_ = file_size_ - trailer_size;
  return {};
}

Result<base::Bytes> SegmentReader::view(std::uint64_t offset, std::size_t size) {
  const bool inside = offset >= window_offset_ && offset + size <= window_offset_ + window_.size();
  if (!inside) {
    window_.resize(std::max(size, window_size));
    const Result<std::size_t> count = file_->read_at(offset, window_);
    if (!count) {
      window_.clear();
      return failure(count.error());
    }
    window_.resize(*count);
    window_offset_ = offset;
  }
  const std::uint64_t skip = offset - window_offset_;
  const std::size_t available =
      window_.size() - static_cast<std::size_t>(std::min<std::uint64_t>(skip, window_.size()));
  return base::Bytes(window_).subspan(window_.size() - available, std::min(size, available));
}

Result<std::optional<SegmentItem>> SegmentReader::record_at(std::uint64_t offset) {
  if (offset + record_header_size > data_end_) return std::nullopt;
  const Result<base::Bytes> bytes = view(offset, record_header_size);
  if (!bytes) return failure(bytes.error());
  const std::optional<RecordHeader> header = decode_record_header(*bytes, *record_magic_, offset);
  if (!header) return std::nullopt;
  SegmentItem item;
  item.kind = SegmentItem::Kind::record;
  item.offset = offset;
  item.size = record_size(header->payload_size);
  item.header = *header;
  if (offset + record_header_size + header->payload_size > data_end_) return std::nullopt;
  return item;
}

Result<SegmentItem> SegmentReader::next() {
  SegmentItem end;
  end.offset = position_;
  if (!record_magic_ || position_ >= data_end_) {
    end.size = data_end_ > position_ ? data_end_ - position_ : 0;
    end.is_zeros = end.size == 0;
    return end;
  }
  const Result<std::optional<SegmentItem>> record = record_at(position_);
  if (!record) return failure(record.error());
  if (*record) return pass(**record);
  return resynchronise();
}

SegmentItem SegmentReader::pass(const SegmentItem& record) noexcept {
  position_ = std::min(record.offset + record.size, data_end_);
  return record;
}

Result<std::optional<SegmentItem>> SegmentReader::fresh_record_at(std::uint64_t offset) {
  window_.clear();
  return record_at(offset);
}

// Records are aligned, so only every eighth byte can begin one. Reserved space is all zeros and by far the most
// frequent reason to be here. A live writer goes on meanwhile, one record after the other: what we hold in the window
// may be older than what we find behind it, so only a fresh look says that there is no record here.
Result<SegmentItem> SegmentReader::resynchronise() {
  if (const auto record = fresh_record_at(position_); !record || *record) {
    return record ? Result<SegmentItem>(pass(**record)) : failure(record.error());
  }
  SegmentItem item;
  item.offset = position_;
  item.size = data_end_ - position_;
  const Result<bool> zeros = is_all_zeros(position_, data_end_);
  if (!zeros) return failure(zeros.error());
  item.is_zeros = *zeros;
  if (*zeros) return item;
  for (std::uint64_t at = position_ + record_alignment; at + record_header_size <= data_end_; at += record_alignment) {
    const Result<base::Bytes> word = view(at, 8);
    if (!word) return failure(word.error());
    if (word->size() < 8 || base::load<std::uint64_t>(word->data()) != *record_magic_) continue;
    const Result<std::optional<SegmentItem>> record = record_at(at);
    if (!record) return failure(record.error());
    if (!*record) continue;
    if (const auto here = fresh_record_at(position_); !here || *here) {
      return here ? Result<SegmentItem>(pass(**here)) : failure(here.error());
    }
    item.kind = SegmentItem::Kind::gap;
    item.size = at - position_;
    position_ = at;
    return item;
  }
  return item;
}

Result<bool> SegmentReader::is_all_zeros(std::uint64_t offset, std::uint64_t end) {
  while (offset < end) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(window_size, end - offset));
    const Result<base::Bytes> bytes = view(offset, size);
    if (!bytes) return failure(bytes.error());
    if (bytes->empty()) break;
    if (std::any_of(bytes->begin(), bytes->end(), [](std::byte byte) { return byte != std::byte{0}; })) return false;
    offset += bytes->size();
  }
  return true;
}

Result<std::optional<std::vector<SegmentItem>>> SegmentReader::read_index() {
  if (!index_offset_ || *index_offset_ >= data_end_) return std::nullopt;
  const Result<std::optional<SegmentItem>> record = record_at(*index_offset_);
  if (!record) return failure(record.error());
  if (!*record || (*record)->header.type != RecordType::index) return std::nullopt;
  Result<std::optional<std::vector<std::byte>>> payload = read_payload(**record);
  if (!payload) return failure(payload.error());
  if (!*payload || (*payload)->size() % index_entry_size != 0) return std::nullopt;
  std::vector<SegmentItem> items;
  items.reserve((*payload)->size() / index_entry_size);
  for (std::size_t i = 0; i < (*payload)->size(); i += index_entry_size) {
    std::byte* const entry = (*payload)->data() + i;
    SegmentItem item;
    item.kind = SegmentItem::Kind::record;
    item.offset = base::load<std::uint64_t>(entry);
    base::store(entry, *record_magic_);  // an entry is the record's header with its offset in place of the magic
    const auto header = decode_record_header(base::Bytes(entry, index_entry_size), *record_magic_, item.offset);
    if (!header) return std::nullopt;
    item.header = *header;
    item.size = record_size(header->payload_size);
    items.push_back(item);
  }
  return items;
}

Result<std::optional<std::vector<std::byte>>> SegmentReader::read_payload(const SegmentItem& item) {
  Result<std::vector<std::byte>> bytes = read_bytes(item.offset + record_header_size, item.header.payload_size);
  if (!bytes) return failure(bytes.error());
  if (bytes->size() != item.header.payload_size || base::crc32c(*bytes) != item.header.payload_crc) return std::nullopt;
  return std::optional(std::move(*bytes));
}

Result<std::optional<model::Totals>> SegmentReader::read_totals() {
  if (!record_magic_) return std::nullopt;
  const Result<std::optional<SegmentItem>> record = record_at(segment_header_size);
  if (!record) return failure(record.error());
  if (!*record || (*record)->header.type != RecordType::totals) return std::nullopt;
  const Result<std::optional<std::vector<std::byte>>> payload = read_payload(**record);
  if (!payload) return failure(payload.error());
  if (!*payload) return std::nullopt;
  return decode_totals(**payload);
}

Result<std::vector<std::byte>> SegmentReader::read_bytes(std::uint64_t offset, std::uint64_t size) {
  size = offset < file_size_ ? std::min(size, file_size_ - offset) : 0;
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  const Result<std::size_t> count = file_->read_at(offset, bytes);
  if (!count) return failure(count.error());
  bytes.resize(*count);
  return bytes;
}

}  // namespace arca::journal
