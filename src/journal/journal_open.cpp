// Journal: what is there when it opens. Every segment tells its part; no other file is needed.
#include <fmt/format.h>

#include <algorithm>

#include "journal/journal_state.hpp"
#include "os/log.hpp"

namespace arca::journal {

struct Journal::State::Found {
  std::string path;
  std::uint64_t number;
  SegmentReader reader;
};

// Reads one segment into the state of the journal.
class Journal::State::Replay {
 public:
  Replay(State& state, Found& found, bool is_last) noexcept : state_(state), found_(found), is_last_(is_last) {}

  Result<void> run();
  [[nodiscard]] SegmentWriter::ResumeOptions resume_options() &&;

 private:
  Result<void> scan();
  Result<bool> is_index_cut_at(std::uint64_t offset);
  Result<void> verify(const SegmentItem& item);
  void apply(const SegmentItem& item);
  void apply_chunk(const SegmentItem& item);
  void apply_settlement(const RecordHeader& header);
  void note(const SegmentItem& item);
  void skip(std::uint64_t offset, std::uint64_t size);

  State& state_;
  Found& found_;
  bool is_last_;
  bool has_index_ = false;
  std::uint64_t end_ = first_record_offset;
  std::uint64_t dirty_end_ = 0;
  std::vector<std::byte> index_;
};

Result<void> Journal::State::Replay::run() {
  Segment& segment = state_.segments_[found_.number];
  segment.path = found_.path;
  segment.size = found_.reader.file_size();
  const Result<std::optional<model::Totals>> totals = found_.reader.read_totals();
  if (!totals) return failure(totals.error());
  if (*totals) {
    state_.totals_ = **totals;
  } else {
    skip(segment_header_size, first_record_offset - segment_header_size);
  }
  const Result<std::optional<std::vector<SegmentItem>>> index = found_.reader.read_index();
  if (!index) return failure(index.error());
  Result<void> done;
  if (*index) {
    for (const SegmentItem& item : **index) apply(item);
    end_ = *found_.reader.index_offset();
    dirty_end_ = found_.reader.file_size() - trailer_size;
  } else {
    done = scan();
  }
  return done;
}

Result<void> Journal::State::Replay::scan() {
  found_.reader.seek(first_record_offset);
  for (;;) {
    const Result<SegmentItem> next = found_.reader.next();
    if (!next) return failure(next.error());
    if (next->kind == SegmentItem::Kind::end) {
      if (next->size == 0 || next->is_zeros) return {};
      dirty_end_ = next->offset + next->size;
      // The writer may have died while it appended or closed the segment: nobody was promised what is here.
      const Result<bool> is_torn_index = is_index_cut_at(next->offset);
      if (!is_torn_index) return failure(is_torn_index.error());
      if (is_last_ || *is_torn_index) {
        ++state_.damage_.torn_tail_count;
      } else {
        skip(next->offset, next->size);
      }
      return {};
    }
    if (next->kind == SegmentItem::Kind::gap) {
      skip(next->offset, next->size);
      continue;
    }
    if (next->header.type == RecordType::index) {  // without its trailer it says nothing that we don't see
      dirty_end_ = std::max(dirty_end_, next->offset + next->size);
      has_index_ = true;
      continue;
    }
    end_ = next->offset + next->size;
    if (const Result<void> done = verify(*next); !done) return done;
  }
}

Result<bool> Journal::State::Replay::is_index_cut_at(std::uint64_t offset) {
  if (has_index_) return true;
  const Result<std::vector<std::byte>> bytes = found_.reader.read_bytes(offset, record_header_size);
  if (!bytes) return failure(bytes.error());
  RecordHeader index;
  index.type = RecordType::index;
  const RecordHeaderBytes expected = encode_record_header(index, found_.reader.header().record_magic, offset);
  return bytes->size() > 8 && std::equal(expected.begin(), expected.begin() + 9, bytes->begin());
}

// In a segment that was never closed (its writer died, or gave it up after a failed sync), a header may have reached
// the disk without its payload. Elsewhere payloads are verified when they are claimed.
Result<void> Journal::State::Replay::verify(const SegmentItem& item) {
  const bool is_chunk = item.header.type == RecordType::chunk;
  if (!is_chunk || found_.reader.is_closed()) {
    apply(item);
    return {};
  }
  const Result<std::optional<std::vector<std::byte>>> payload = found_.reader.read_payload(item);
  if (!payload) return failure(payload.error());
  if (*payload) {
    apply(item);
    return {};
  }
  const Result<SegmentItem> behind = found_.reader.next();
  if (!behind) return failure(behind.error());
  found_.reader.seek(item.offset + item.size);
  const Result<std::vector<std::byte>> raw = found_.reader.read_bytes(item.offset, item.size);
  if (!raw) return failure(raw.error());
  const bool ends_in_zeros = raw->size() >= 8 && base::load<std::uint64_t>(raw->data() + raw->size() - 8) == 0;
  if (behind->kind == SegmentItem::Kind::end && ends_in_zeros) {
    ++state_.damage_.torn_tail_count;
    end_ = item.offset;
    dirty_end_ = item.offset + item.size;
    return {};
  }
  if (!is_last_) {  // a copy may follow in a later segment
    apply(item);
    return {};
  }
  skip(item.offset, item.size);
  if (state_.find_locked(item.header.id, nullptr) != nullptr) {  // as far as known it lies elsewhere, too
    note(item);
    return {};
  }
  apply(item);
  model::Signal signal{};
  ChunkEntry* const entry = state_.find_locked(item.header.id, &signal);
  if (entry != nullptr) state_.end_chunk_locked(*entry, signal, {.settlement = Settlement::lost});
  return {};
}

void Journal::State::Replay::apply(const SegmentItem& item) {
  if (item.header.type == RecordType::chunk) apply_chunk(item);
  if (item.header.type == RecordType::settle) apply_settlement(item.header);
  if (is_last_) note(item);
}

void Journal::State::Replay::apply_chunk(const SegmentItem& item) {
  const ChunkPlace place{found_.number, static_cast<std::uint32_t>(item.offset / record_alignment),
                         item.header.payload_size};
  if (ChunkEntry* const known = state_.find_locked(item.header.id, nullptr)) {
    // It was written anew because the sync of its first segment failed: of what is there only this one was promised.
    if (!item.header.is_copy) return;
    --state_.segments_[known->place.segment].unsettled_count;
    ++state_.segments_[place.segment].unsettled_count;
    known->place = place;
    return;
  }
  ChunkEntry entry;
  entry.id = item.header.id;
  entry.place = place;
  entry.sealed_at = item.header.sealed_at;
  entry.order = state_.next_order_++;
  entry.item_count = item.header.item_count;
  state_.queue(item.header.signal).push(entry);
  ++state_.segments_[found_.number].unsettled_count;
  if (!item.header.is_copy) {
    state_.totals_[model::index_of(item.header.signal)].journaled += item.header.item_count;
  }
}

void Journal::State::Replay::apply_settlement(const RecordHeader& header) {
  model::Signal signal{};
  if (ChunkEntry* const entry = state_.find_locked(header.id, &signal)) {
    --state_.segments_[entry->place.segment].unsettled_count;
    state_.queue(signal).settle(*entry);
  }
  if (!header.is_copy) state_.note_settlement_locked(header);
}

void Journal::State::Replay::note(const SegmentItem& item) {
  const RecordHeaderBytes bytes = encode_record_header(item.header, found_.reader.header().record_magic, item.offset);
  index_.insert(index_.end(), bytes.begin(), bytes.end());
  base::store(index_.data() + index_.size() - index_entry_size, item.offset);
}

void Journal::State::Replay::skip(std::uint64_t offset, std::uint64_t size) {
  ++state_.damage_.skipped_record_count;
  state_.damage_.skipped_bytes += size;
  state_.keep_aside_locked(found_.reader, found_.number, offset, size);
}

SegmentWriter::ResumeOptions Journal::State::Replay::resume_options() && {
  SegmentWriter::ResumeOptions options;
  options.path = found_.path;
  options.header = found_.reader.header();
  options.end = end_;
  options.dirty_end = dirty_end_;
  options.has_trailer = found_.reader.is_closed();
  options.index = std::move(index_);
  return options;
}

Result<void> Journal::State::recover() {
  const std::scoped_lock lock(mutex_);
  if (const auto made = file_system_.make_directories(options_.directory); !made) return failure(made.error());
  Result<std::vector<Found>> found = look_locked();
  if (!found) return failure(found.error());
  for (std::size_t i = 0; i < found->size(); ++i) {
    if (const auto done = replay_locked((*found)[i], i + 1 == found->size()); !done) return done;
  }
  balance_totals_locked();
  // A journal that was not closed in order may hold bytes that only the kernel has: a sync must cover them.
  if (!found->empty() && !found->back().reader.is_closed()) {
    for (const auto& [number, segment] : segments_) {
      const bool is_open = writer_ && writer_->number() == number;
      unsynced_.push_back({number, nullptr, is_open ? writer_->end() : segment.size});
    }
    ++written_count_;
  } else {
    for (auto& [number, segment] : segments_) segment.synced_end = segment.size;
    if (writer_) segments_[writer_->number()].synced_end = writer_->end();
  }
  if (options_.durability == Durability::power) {
    const std::string parent = options_.directory.substr(0, options_.directory.rfind('/'));
    if (!parent.empty()) {
      if (const auto synced = file_system_.sync_directory(parent); !synced) return failure(synced.error());
    }
  }
  remove_settled_segments_locked();
  return {};
}

// Looks at all headers before anything is touched.
Result<std::vector<Journal::State::Found>> Journal::State::look_locked() {
  const Result<std::vector<std::string>> names = file_system_.list(options_.directory);
  if (!names) return failure(names.error());
  std::vector<Found> found;
  std::vector<std::string> unfinished;
  for (const std::string& name : *names) {
    const std::string path = options_.directory + "/" + name;
    if (name.ends_with(".new") && parse_segment_name(std::string_view(name).substr(0, name.size() - 4))) {
      unfinished.push_back(path);  // nothing is appended before the file has its name
      continue;
    }
    const std::optional<std::uint64_t> number = parse_segment_name(name);
    if (!number) {
      if (name != "damaged") ++damage_.foreign_file_count;
      continue;
    }
    Result<SegmentReader> reader = SegmentReader::open(file_system_, path);
    if (!reader) return failure(reader.error());
    if (reader->header_state() == HeaderState::unknown_version) {
      return failure(ErrorCode::unsupported_version,
                     fmt::format("{} has format version {}, this build knows version {}; use the build that wrote it",
                                 path, reader->header().version, format_version));
    }
    const bool is_good = reader->header_state() == HeaderState::good;
    const bool is_ours = reader->is_readable() && (!is_good || reader->header().writer == options_.writer);
    if (!is_ours || *number == ~std::uint64_t{0}) {
      ++damage_.foreign_file_count;
      os::log(os::LogLevel::warn, "journal: {} is no segment of writer {}; it is left alone", path,
              model::to_string(options_.writer));
      continue;
    }
    found.push_back({path, is_good ? reader->header().number : *number, std::move(*reader)});
  }
  for (const std::string& path : unfinished) static_cast<void>(file_system_.remove(path));
  std::stable_sort(found.begin(), found.end(),
                   [](const Found& left, const Found& right) { return left.number < right.number; });
  const auto copies = std::unique(found.begin(), found.end(),
                                  [](const Found& left, const Found& right) { return left.number == right.number; });
  damage_.foreign_file_count += static_cast<std::uint64_t>(found.end() - copies);
  found.erase(copies, found.end());
  return found;
}

Result<void> Journal::State::replay_locked(Found& found, bool is_last) {
  Replay replay(*this, found, is_last);
  if (const Result<void> done = replay.run(); !done) return done;
  next_number_ = found.number + 1;
  if (!is_last || found.reader.header_state() != HeaderState::good) {
    if (found.reader.header_state() != HeaderState::good) {
      ++damage_.skipped_record_count;
      damage_.skipped_bytes += segment_header_size;
    }
    return {};
  }
  Result<std::unique_ptr<SegmentWriter>> writer =
      SegmentWriter::resume(file_system_, std::move(replay).resume_options());
  if (writer) {
    writer_ = std::move(*writer);
  } else {
    os::log(os::LogLevel::warn, "journal: {}; a new segment is begun when something is written",
            writer.error().message());
  }
  return {};
}

// The law must hold over what is left. Items that a later snapshot counts but that neither lie here nor were
// settled stood in damaged records; settlements of a chunk whose record is damaged prove that it was here.
void Journal::State::balance_totals_locked() {
  for (const model::Signal signal : model::all_signals) {
    model::SignalTotals& of = totals_[model::index_of(signal)];
    const std::uint64_t seen = of.delivered + of.parked + of.quarantined + of.lost + queue(signal).item_count();
    if (of.journaled > seen) of.lost += of.journaled - seen;
    if (of.journaled < seen) of.journaled = seen;
  }
}

void Journal::State::keep_aside_locked(SegmentReader& reader, std::uint64_t segment, std::uint64_t offset,
                                       std::uint64_t size) {
  const std::string directory = options_.directory + "/damaged";
  const std::string path = fmt::format("{}/{:016x}-{:x}.bytes", directory, segment, offset);
  if (file_system_.exists(path)) return;
  Result<void> done = file_system_.make_directories(directory);
  if (done) {
    const Result<std::unique_ptr<os::File>> file = file_system_.open(path, os::OpenMode::create_new);
    if (!file) done = failure(file.error());
    for (std::uint64_t at = 0; done && at < size;) {
      const Result<std::vector<std::byte>> bytes =
          reader.read_bytes(offset + at, std::min<std::uint64_t>(size - at, 1U << 20U));
      if (!bytes) done = failure(bytes.error());
      if (!bytes || bytes->empty()) break;
      const std::array<base::Bytes, 1> slice{base::Bytes(*bytes)};
      done = (*file)->write_at(at, slice);
      at += bytes->size();
    }
  }
  if (done) {
    os::log(os::LogLevel::warn, "journal: {} damaged bytes are kept in {}", size, path);
  } else {
    static_cast<void>(file_system_.remove(path));
    segments_[segment].is_kept = true;
  }
}

}  // namespace arca::journal
