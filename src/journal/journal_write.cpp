// Journal: writing records, room and reserve, beginning and removing segments.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"
#include "base/crash_point.hpp"
#include "journal/journal_state.hpp"
#include "os/log.hpp"

namespace arca::journal {
std::uint64_t Journal::State::unsettled_count_locked() const noexcept {
  std::uint64_t sum = 0;
  for (const ChunkQueue& queue : queues_) sum += queue.size();
  return sum;
}

model::Account Journal::State::account() {
  const std::scoped_lock lock(mutex_);
  model::Account account{.totals = totals_, .items = {}};
  for (const model::Signal signal : model::all_signals) {
    account.items[model::index_of(signal)] = queue(signal).item_count();
  }
  return account;
}

// One settlement for each chunk that still needs one.
std::uint64_t Journal::State::reserve_locked() const noexcept {
  return record_header_size * (unsettled_count_locked() + pending_settlements_.size());
}

std::uint64_t Journal::State::size_locked() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& [number, segment] : segments_) {
    const bool is_open = writer_ && writer_->number() == number;
    sum += is_open ? writer_->allocated_size() : segment.size;
  }
  return sum;
}

bool Journal::State::is_rolling_locked(std::uint64_t record_bytes) const noexcept {
  if (!writer_) return true;
  return writer_->end() > first_record_offset && writer_->end() + record_bytes > options_.segment_size;
}

bool Journal::State::is_within_budget_locked(std::uint64_t record_bytes) const noexcept {
  const std::uint64_t reserve = reserve_locked() + record_header_size;
  std::uint64_t size = size_locked() + record_bytes + reserve;
  if (writer_) size -= writer_->allocated_size() - writer_->end();
  if (is_rolling_locked(record_bytes)) size += first_record_offset + (writer_ ? writer_->index_size() : 0);
  return size <= options_.size_max;
}

// Begins a segment behind the last one, then closes the one that was open.
Result<void> Journal::State::begin_segment_locked() {
  if (!to_rescue_.empty() && size_locked() > options_.size_max) {
    return failure(ErrorCode::poisoned, fmt::format("the budget of the journal {} is used up by segments that could "
                                                    "not be synced; check the device",
                                                    options_.directory));
  }
  SegmentWriter::CreateOptions options;
  options.directory = options_.directory;
  while (file_system_.exists(options_.directory + "/" + segment_name(next_number_))) ++next_number_;
  options.header.writer = options_.writer;
  options.header.number = next_number_;
  options.header.created_at = clock_.wall_now();
  options.header.record_magic = record_magic_of(options_.writer, next_number_, options.header.created_at);
  options.totals = totals_;
  options.reserve = reserve_locked();
  options.is_synced = options_.durability == Durability::power;
  Result<std::unique_ptr<SegmentWriter>> made = SegmentWriter::create(file_system_, options);
  if (!made) return failure(made.error());
  base::crash_point("journal.segment.begun");

  if (writer_) {
    Segment& closed = segments_[writer_->number()];
    if (writer_->end() > closed.synced_end) {
      unsynced_.push_back({writer_->number(), writer_->file(), writer_->end()});
    }
    writer_->seal();
    base::crash_point("journal.segment.closed");
    closed.size = writer_->allocated_size();
  }
  writer_ = std::move(*made);
  if (!options.is_synced) names_synced_ = false;
  Segment& opened = segments_[next_number_];
  opened.path = writer_->path();
  opened.size = writer_->allocated_size();
  opened.synced_end = options.is_synced ? writer_->end() : 0;
  ++next_number_;
  return {};
}

// Requires what the caller writes next to be at most `record_bytes`, plus one more settlement in the reserve.
Result<void> Journal::State::make_room_locked(std::uint64_t record_bytes) {
  if (!is_within_budget_locked(record_bytes)) {
    return failure(ErrorCode::full, fmt::format("the journal {} holds {} bytes, its budget is {}", options_.directory,
                                                size_locked(), options_.size_max));
  }
  if (is_rolling_locked(record_bytes)) {
    if (const Result<void> begun = begin_segment_locked(); !begun) return begun;
  }
  const std::uint64_t others = size_locked() - writer_->allocated_size();
  const std::uint64_t size_limit = std::min(options_.size_max - others, options_.segment_size);
  return writer_->ensure_room(record_bytes, reserve_locked() + record_header_size, size_limit);
}

// Requires writer_. A device that refuses to write does not get a second chance with this segment.
Result<ChunkPlace> Journal::State::write_locked(const RecordHeader& header, std::span<const base::Bytes> payload) {
  const std::uint64_t segment = writer_->number();
  const bool is_chunk = header.type == RecordType::chunk;
  base::crash_point(is_chunk ? "journal.chunk.before_write" : "journal.settle.before_write");
  const Result<std::uint64_t> offset = writer_->append(header, payload);
  base::crash_point(is_chunk ? "journal.chunk.written" : "journal.settle.written");
  if (!offset) {
    if (offset.error().code() != ErrorCode::full) poison_locked(segment, offset.error());
    return failure(offset.error());
  }
  ++written_count_;
  return ChunkPlace{segment, static_cast<std::uint32_t>(*offset / record_alignment), header.payload_size};
}

// What nobody keeps that was refused, all of a chunk or some of it, is lost. Pool::State counts it in the same way.
Journal::State::Ending Journal::State::ending_of(const model::Ack& ack) noexcept {
  const bool is_kept = ack.tier == model::Tier::journal;
  if (ack.verdict == model::Verdict::rejected && !is_kept) return {.settlement = Settlement::lost};
  Ending ending{.settlement = static_cast<Settlement>(ack.verdict)};
  if (ack.verdict == model::Verdict::delivered) ending.refused_item_count = ack.refused_item_count;
  ending.refused_are_lost = ending.refused_item_count > 0 && !is_kept;
  return ending;
}

// The chunk needs no more care, in memory; the settlement is written by write_settlements_locked().
void Journal::State::end_chunk_locked(ChunkEntry& entry, model::Signal signal, const Ending& ending) {
  pending_settlements_.reserve(pending_settlements_.size() + 1);  // or the verdict would never be written
  RecordHeader header;
  header.type = RecordType::settle;
  header.signal = signal;
  header.settlement = ending.settlement;
  header.refused_item_count = ending.refused_item_count;
  header.refused_are_lost = ending.refused_are_lost;
  header.id = entry.id;
  header.sealed_at = clock_.wall_now();
  header.item_count = entry.item_count;
  const auto segment = segments_.find(entry.place.segment);
  ARCA_CHECK(segment != segments_.end() && segment->second.unsettled_count > 0);
  --segment->second.unsettled_count;
  queue(signal).settle(entry);
  note_settlement_locked(header);
  pending_settlements_.push_back(header);
}

void Journal::State::note_settlement_locked(const RecordHeader& header) {
  count_settlement(header, totals_[model::index_of(header.signal)]);
}

Result<void> Journal::State::write_settlements_locked() {
  while (!pending_settlements_.empty()) {
    if (!writer_) {
      if (const Result<void> begun = begin_segment_locked(); !begun) return begun;
    }
    const Result<ChunkPlace> written = write_locked(pending_settlements_.front(), {});
    if (!written) return failure(written.error());
    pending_settlements_.erase(pending_settlements_.begin());
  }
  return {};
}

// Oldest first, so that no settlement goes before its chunk. Needs no space.
void Journal::State::remove_settled_segments_locked() {
  while (!segments_.empty()) {
    const auto oldest = segments_.begin();
    const Segment& segment = oldest->second;
    if (segment.unsettled_count > 0 || (writer_ && writer_->number() == oldest->first)) return;
    // The last one holds the totals; without another behind it they would be gone.
    if (segments_.size() == 1 || to_rescue_.contains(oldest->first) || segment.removable_at > synced_count_) return;
    const std::string kept = options_.directory + "/damaged/" + segment_name(oldest->first);
    if (segment.is_kept) static_cast<void>(file_system_.make_directories(options_.directory + "/damaged"));
    const Result<void> done =
        segment.is_kept ? file_system_.rename(segment.path, kept) : file_system_.remove(segment.path);
    base::crash_point("journal.segment.removed");
    if (!done) {
      os::log(os::LogLevel::warn, "journal: {}; it will be tried again", done.error().message());
      return;
    }
    if (options_.durability == Durability::power) static_cast<void>(file_system_.sync_directory(options_.directory));
    if (reader_segment_ == oldest->first) reader_.reset();
    std::erase_if(unsynced_, [&](const Unsynced& unsynced) { return unsynced.segment == oldest->first; });
    segments_.erase(oldest);
  }
}

// When everything is settled, the open segment is dead weight but for its totals: a new one carries them on.
void Journal::State::renew_segment_locked() {
  if (!writer_ || unsettled_count_locked() > 0 || !pending_settlements_.empty()) return;
  if (writer_->end() < options_.segment_size / 8 || segments_.size() > 1) return;
  if (begin_segment_locked()) remove_settled_segments_locked();
}

void Journal::State::close_locked(std::unique_lock<std::mutex>& lock) {
  static_cast<void>(write_settlements_locked());
  if (!writer_) return;
  if (written_count_ > synced_count_) {
    const Result<void> synced = sync_once(lock);
    if (!synced || !writer_) return;  // what was not synced must not look as if it had been closed in order
  }
  writer_->rest();
}

}  // namespace arca::journal
