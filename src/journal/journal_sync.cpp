// Journal: what survives a power loss. Group commit, background sync, and what to do when a sync fails.
#include <fmt/format.h>

#include <algorithm>

#include "journal/journal_state.hpp"
#include "os/log.hpp"
#include "os/thread.hpp"

namespace arca::journal {
namespace {

Result<void> sync_file(os::File* file) noexcept {
  try {
    return file != nullptr ? file->sync() : failure(ErrorCode::io, "cannot open a segment to sync it");
  } catch (const std::exception&) {
    return failure(ErrorCode::io, "out of memory");  // short enough to need none
  }
}

}  // namespace

// The first who waits syncs for all who have written by then; the others wait for it.
Result<void> Journal::State::wait_until_synced(std::unique_lock<std::mutex>& lock, std::uint64_t record_number) {
  const std::uint64_t failures_before = damage_.failed_sync_count;
  while (synced_count_ < record_number) {
    if (is_syncing_) {
      sync_done_.wait(lock);
      continue;
    }
    // One failure costs a segment. After the second the device itself must be taken for broken.
    if (damage_.failed_sync_count > failures_before + 1 || !to_rescue_.empty()) {
      rescue_locked();
      if (!to_rescue_.empty() || damage_.failed_sync_count > failures_before + 1) {
        return failure(ErrorCode::poisoned,
                       fmt::format("the journal {} cannot be synced: {}", options_.directory,
                                   last_sync_error_ ? last_sync_error_->message() : "unknown reason"));
      }
    }
    const Result<void> synced = sync_once(lock);
    if (!synced && !names_synced_) return synced;  // costs no segment, so nothing above would ever end this
  }
  return {};
}

// What was synced must be found again: a name that only the kernel knows goes with the power, and the bytes with it.
Result<void> Journal::State::sync_names() noexcept {
  try {
    const std::string& directory = options_.directory;
    if (const auto synced = file_system_.sync_directory(directory); !synced) return synced;
    const std::size_t end = directory.rfind('/');
    return end == 0 || end == std::string::npos ? Result<void>()
                                                : file_system_.sync_directory(directory.substr(0, end));
  } catch (const std::exception&) {
    return failure(ErrorCode::io, "out of memory");
  }
}

// Releases the lock while it waits for the device.
Result<void> Journal::State::sync_once(std::unique_lock<std::mutex>& lock) {
  const std::uint64_t target = written_count_;
  // All that may throw comes before the flag is up: it would stay, and everybody wait for ever.
  std::vector<Result<void>> results;
  results.reserve(unsynced_.size() + 1);
  if (writer_ && writer_->end() > segments_[writer_->number()].synced_end) {
    unsynced_.push_back({writer_->number(), writer_->file(), writer_->end()});
  }
  for (Unsynced& unsynced : unsynced_) {
    const auto segment = segments_.find(unsynced.segment);
    if (unsynced.file || segment == segments_.end()) continue;
    if (auto opened = file_system_.open(segment->second.path, os::OpenMode::read)) unsynced.file = std::move(*opened);
  }
  const std::vector<Unsynced> files = std::exchange(unsynced_, {});
  const bool names_too = !std::exchange(names_synced_, true);
  is_syncing_ = true;
  lock.unlock();
  for (const Unsynced& unsynced : files) results.push_back(sync_file(unsynced.file.get()));
  const Result<void> named = names_too ? sync_names() : Result<void>();
  lock.lock();
  is_syncing_ = false;

  Result<void> outcome;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto segment = segments_.find(files[i].segment);
    if (segment == segments_.end()) continue;  // settled and removed meanwhile
    if (results[i]) {
      segment->second.synced_end = std::max(segment->second.synced_end, files[i].end);
    } else if (!segment->second.is_poisoned) {
      poison_locked(files[i].segment, results[i].error());
      outcome = failure(results[i].error());
    }
  }
  rescue_locked();
  if (!named) {
    names_synced_ = false;
    if (outcome) outcome = named;
  }
  if (outcome && to_rescue_.empty()) synced_count_ = std::max(synced_count_, target);
  sync_done_.notify_all();
  if (outcome) remove_settled_segments_locked();
  return outcome;
}

// After a failed sync the kernel may have dropped the pages and call the rest clean: nobody may rely on this file
// any more. What was not yet synced is written anew into another one.
void Journal::State::poison_locked(std::uint64_t segment, const Error& error) {
  Segment& poisoned = segments_[segment];
  if (poisoned.is_poisoned) return;
  to_rescue_.insert(segment);
  poisoned.is_poisoned = true;
  ++damage_.failed_sync_count;
  last_sync_error_ = error;
  if (writer_ && writer_->number() == segment) {
    poisoned.size = writer_->allocated_size();
    writer_.reset();
  }
  os::log(os::LogLevel::error, "journal: {}; its segment is given up and rewritten", error.message());
}

void Journal::State::rescue_locked() {
  while (!to_rescue_.empty()) {
    const std::uint64_t segment = *to_rescue_.begin();
    if (!writer_) {
      if (const Result<void> begun = begin_segment_locked(); !begun) {
        last_sync_error_ = begun.error();
        return;
      }
    }
    if (const Result<void> rescued = rescue_segment_locked(segment); !rescued) {
      last_sync_error_ = rescued.error();
      return;
    }
    to_rescue_.erase(segment);
    segments_[segment].removable_at = written_count_;
  }
}

Result<void> Journal::State::rescue_segment_locked(std::uint64_t segment) {
  Result<SegmentReader> reader = SegmentReader::open(file_system_, segments_[segment].path);
  if (!reader) return failure(reader.error());
  reader->seek(std::max(segments_[segment].synced_end, first_record_offset));
  for (;;) {
    const Result<SegmentItem> item = reader->next();
    if (!item) return failure(item.error());
    if (item->kind == SegmentItem::Kind::end) return {};
    if (item->kind == SegmentItem::Kind::gap) continue;
    if (const auto done = rescue_record_locked(*reader, segment, *item); !done) return done;
  }
}

Result<void> Journal::State::rescue_record_locked(SegmentReader& reader, std::uint64_t segment,
                                                  const SegmentItem& item) {
  RecordHeader copy = item.header;
  copy.is_copy = true;
  std::vector<std::byte> payload;
  ChunkEntry* entry = nullptr;
  if (item.header.type == RecordType::chunk) {
    entry = find_locked(item.header.id, nullptr);
    const bool is_needed = entry != nullptr && entry->place.segment == segment && entry->place.offset() == item.offset;
    if (!is_needed) return {};
    Result<std::optional<std::vector<std::byte>>> read = reader.read_payload(item);
    if (!read || !*read) return {};  // the claim will find it damaged and count it
    payload = std::move(**read);
  } else if (item.header.type != RecordType::settle) {
    return {};
  }
  const std::array<base::Bytes, 1> slice{base::Bytes(payload)};
  if (const auto room = writer_->ensure_room(record_size(payload.size()), reserve_locked(), 0); !room) {
    return failure(room.error());
  }
  const Result<ChunkPlace> place = write_locked(copy, slice);
  if (!place) return failure(place.error());
  if (entry != nullptr) {
    --segments_[segment].unsettled_count;
    ++segments_[place->segment].unsettled_count;
    entry->place = *place;
  }
  return {};
}

Result<void> Journal::State::sync() {
  std::unique_lock lock(mutex_);
  if (const Result<void> settled = write_settlements_locked(); !settled) return settled;
  return wait_until_synced(lock, written_count_);
}

void Journal::State::start_background_sync_locked() {
  if (background_.joinable() || options_.durability != Durability::process) return;
  if (options_.sync_interval <= base::Duration::zero()) return;
  Result<std::jthread> thread = os::start_thread("arca-sync", [this](const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    base::Duration wait = options_.sync_interval;
    while (!stop.stop_requested()) {
      stop_.wait_for(lock, stop, wait, [] { return false; });
      if (stop.stop_requested() || is_syncing_ || written_count_ <= synced_count_) continue;
      // Each failure costs a segment, so a broken device is asked less and less often.
      bool is_synced = false;
      try {
        is_synced = sync_once(lock).has_value();
      } catch (const std::exception& error) {  // no memory now; this thread must not end for it
        os::log(os::LogLevel::warn, "journal {}: cannot sync: {}", options_.directory, error.what());
      }
      wait = is_synced ? options_.sync_interval : std::min<base::Duration>(2 * wait, std::chrono::hours(1));
    }
  });
  if (thread) {
    background_ = std::move(*thread);
  } else {
    os::log(os::LogLevel::warn, "journal: {}; a power loss may cost more than sync_interval", thread.error().message());
  }
}

}  // namespace arca::journal
