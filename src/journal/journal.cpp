#include "journal/journal.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "journal/journal_state.hpp"
#include "os/log.hpp"

namespace arca::journal {
namespace {

// How often in a row a chunk that the device cannot read is tried before it is given up as damaged, and the waits
// between: an hour in all, for a path that fails over. A file that cannot be opened is no damage at all.
constexpr std::uint8_t read_failures_max = 64;
constexpr base::Duration read_retry_delay = std::chrono::seconds(1);
constexpr std::uint8_t read_retry_doublings_max = 6;

tl::unexpected<Error> not_ours() {
  return failure(ErrorCode::shut_down, "this journal belongs to the parent process; a forked child opens its own");
}

std::uint32_t crc_of(const model::Payload& payload) noexcept {
  std::uint32_t crc = 0;
  for (const base::Bytes slice : payload.slices()) crc = base::crc32c(slice, crc);
  return crc;
}

RecordHeader header_of(const model::Chunk& chunk) noexcept {
  RecordHeader header;
  header.type = RecordType::chunk;
  header.signal = chunk.signal;
  header.payload_size = static_cast<std::uint32_t>(chunk.payload.size());
  header.id = chunk.id;
  header.sealed_at = chunk.sealed_at;
  header.item_count = chunk.item_count;
  header.payload_crc = crc_of(chunk.payload);
  return header;
}

}  // namespace

Journal::State::State(os::FileSystem& file_system, os::Clock& clock, JournalOptions options)
    : file_system_(file_system),
      clock_(clock),
      options_(std::move(options)),
      queues_{ChunkQueue(false), ChunkQueue(true), ChunkQueue(false)} {
  static_assert(model::index_of(model::Signal::metrics) == 1);
  os::subscribe_to_fork(*this);
}

Journal::State::~State() {
  os::unsubscribe_from_fork(*this);
  if (!is_ours()) {
    if (background_.joinable()) background_.detach();  // that thread lives in the parent
    return;
  }
  background_ = {};
  std::unique_lock lock(mutex_);
  try {
    close_locked(lock);
  } catch (const std::exception& error) {  // not closed in order then: the next opening reads it all
    os::log(os::LogLevel::warn, "journal {}: {}", options_.directory, error.what());
  }
}

void Journal::State::prepare_fork() noexcept { mutex_.lock(); }
void Journal::State::after_fork_in_parent() noexcept { mutex_.unlock(); }

// Open descriptors in a long-lived child would keep the space of removed segments.
void Journal::State::after_fork_in_child() noexcept {
  writer_.reset();
  reader_.reset();
  unsynced_.clear();
  mutex_.unlock();
}

Result<void> Journal::State::append(const model::Chunk& chunk) {
  const std::uint64_t size = record_size(chunk.payload.size());
  if (chunk.payload.size() > payload_size_max || size > options_.size_max) {
    return failure(ErrorCode::full, fmt::format("a chunk of {} bytes can never fit into the journal {}",
                                                chunk.payload.size(), options_.directory));
  }
  const RecordHeader header = header_of(chunk);
  std::unique_lock lock(mutex_);
  rescue_locked();
  if (!to_rescue_.empty() && last_sync_error_) return failure(ErrorCode::poisoned, last_sync_error_->message());
  if (find_locked(chunk.id, nullptr) == nullptr) {
    static_cast<void>(write_settlements_locked());  // they have their reserve; if it fails, the append will tell
    if (const Result<void> room = make_room_locked(size); !room) return failure(room.error().with_context("append"));
    const Result<ChunkPlace> place = write_locked(header, chunk.payload.slices());
    if (!place) return failure(place.error().with_context("append"));
    ChunkEntry entry;
    entry.id = chunk.id;
    entry.place = *place;
    entry.sealed_at = chunk.sealed_at;
    entry.order = next_order_++;
    entry.item_count = chunk.item_count;
    queue(chunk.signal).push(entry);
    ++segments_[place->segment].unsettled_count;
    totals_[model::index_of(chunk.signal)].journaled += chunk.item_count;
    start_background_sync_locked();
  }
  Result<void> durable;
  if (options_.durability == Durability::power) {
    durable = wait_until_synced(lock, written_count_);
    // The rescue could not read this chunk back from the segment that it gave up: here it still is in memory.
    ChunkEntry* const entry = find_locked(chunk.id, nullptr);
    if (durable && entry != nullptr && segments_[entry->place.segment].is_poisoned) {
      durable = rewrite_locked(chunk, header);
      if (durable) durable = wait_until_synced(lock, written_count_);
    }
  }
  lock.unlock();
  wake();
  return durable;
}

Result<void> Journal::State::rewrite_locked(const model::Chunk& chunk, RecordHeader header) {
  header.is_copy = true;
  if (const auto room = make_room_locked(record_size(header.payload_size)); !room) return failure(room.error());
  const Result<ChunkPlace> place = write_locked(header, chunk.payload.slices());
  if (!place) return failure(place.error());
  ChunkEntry* const entry = find_locked(chunk.id, nullptr);
  --segments_[entry->place.segment].unsettled_count;
  ++segments_[place->segment].unsettled_count;
  entry->place = *place;
  return {};
}

Result<std::optional<model::Claim>> Journal::State::claim(model::SignalSet signals, base::SteadyTime now) {
  std::unique_lock lock(mutex_);
  for (;;) {
    ChunkEntry* oldest = nullptr;
    model::Signal signal{};
    for (const model::Signal candidate : model::all_signals) {
      if (!signals.contains(candidate)) continue;
      ChunkEntry* const entry = queue(candidate).claimable(now);
      if (entry == nullptr || (oldest != nullptr && oldest->order < entry->order)) continue;
      oldest = entry;
      signal = candidate;
    }
    if (oldest == nullptr) return std::nullopt;
    Result<std::shared_ptr<os::File>> file = reader_of(oldest->place.segment);
    queue(signal).prepare_claim();
    queue(signal).claim(*oldest);
    const ChunkEntry entry = *oldest;

    lock.unlock();  // appends go on while the payload is read
    model::Payload payload;
    Error error(ErrorCode::not_found, "");
    ReadOutcome outcome = ReadOutcome::damaged;
    if (file) {
      try {
        std::vector<std::byte> bytes;
        outcome = read_chunk(**file, entry, bytes, error);
        payload = model::Payload::own(std::move(bytes));
      } catch (const std::exception&) {  // no memory for it: others may have it, or we later
        lock.lock();
        if (ChunkEntry* const again = find_locked(entry.id, nullptr)) {
          queue(signal).release(*again, now + read_retry_delay);
        }
        throw;
      }
    } else if (file.error().code() != ErrorCode::not_found) {
      outcome = ReadOutcome::failed;
      error = file.error();
    }
    lock.lock();

    if (outcome == ReadOutcome::good) {
      if (ChunkEntry* const read = find_locked(entry.id, nullptr)) read->read_failure_count = 0;
      return model::Claim{{entry.id, signal, entry.item_count, entry.sealed_at, std::move(payload)},
                          entry.attempt_count};
    }
    ChunkEntry* const again = find_locked(entry.id, nullptr);
    if (again == nullptr) continue;                     // settled meanwhile
    if (again->place.segment != entry.place.segment) {  // rescued meanwhile
      queue(signal).release(*again, now);
      continue;
    }
    if (outcome == ReadOutcome::failed && (!file || ++again->read_failure_count < read_failures_max)) {
      queue(signal).release(
          *again, now + read_retry_delay * (1 << std::min(again->read_failure_count, read_retry_doublings_max)));
      return failure(error.with_context("claim " + model::to_string(entry.id)));
    }
    give_up_damaged_locked(*again, signal);
  }
}

Journal::State::ReadOutcome Journal::State::read_chunk(os::File& file, const ChunkEntry& entry,
                                                       std::vector<std::byte>& payload, Error& error) {
  RecordHeaderBytes head{};
  const std::uint64_t offset = entry.place.offset();
  payload.resize(entry.place.payload_size);
  const Result<std::size_t> head_size = file.read_at(offset, head);
  const Result<std::size_t> size = head_size ? file.read_at(offset + record_header_size, payload) : head_size;
  if (!size) {
    error = size.error();
    return ReadOutcome::failed;
  }
  const auto magic = base::load<std::uint64_t>(head.data());
  const std::optional<RecordHeader> header = decode_record_header(head, magic, offset);
  const bool is_good = header && header->id == entry.id && *size == payload.size() &&
                       header->payload_size == payload.size() && base::crc32c(payload) == header->payload_crc;
  return is_good ? ReadOutcome::good : ReadOutcome::damaged;
}

Result<std::shared_ptr<os::File>> Journal::State::reader_of(std::uint64_t segment) {
  if (!reader_ || reader_segment_ != segment) {
    Result<std::unique_ptr<os::File>> file = file_system_.open(segments_[segment].path, os::OpenMode::read);
    if (!file) return failure(file.error());
    reader_ = std::move(*file);
    reader_segment_ = segment;
  }
  return reader_;
}

void Journal::State::give_up_damaged_locked(ChunkEntry& entry, model::Signal signal) {
  const std::uint64_t size = record_size(entry.place.payload_size);
  ++damage_.skipped_record_count;
  damage_.skipped_bytes += size;
  os::log(os::LogLevel::error, "journal: chunk {} in {} is damaged: {} {} are lost", model::to_string(entry.id),
          segments_[entry.place.segment].path, entry.item_count, model::to_string(signal));
  if (Result<SegmentReader> reader = SegmentReader::open(file_system_, segments_[entry.place.segment].path)) {
    keep_aside_locked(*reader, entry.place.segment, entry.place.offset(), size);
  } else {
    segments_[entry.place.segment].is_kept = true;
  }
  end_chunk_locked(entry, signal, {.settlement = Settlement::lost});
  static_cast<void>(write_settlements_locked());
  remove_settled_segments_locked();
}

Result<void> Journal::State::settle(const model::Ack& ack) {
  ARCA_CHECK(model::is_settled(ack.verdict));
  Result<void> written;
  model::Signal signal{};
  {
    const std::scoped_lock lock(mutex_);
    ChunkEntry* const entry = find_locked(ack.chunk_id, &signal);
    if (entry == nullptr) {
      // Settled before, but that could not be written then: asked again, it is.
      const bool is_pending = std::any_of(pending_settlements_.begin(), pending_settlements_.end(),
                                          [&](const RecordHeader& header) { return header.id == ack.chunk_id; });
      if (is_pending) return write_settlements_locked();
      return failure(ErrorCode::not_found, "no unsettled chunk " + model::to_string(ack.chunk_id) + " in the journal");
    }
    end_chunk_locked(*entry, signal, ending_of(ack));
    rescue_locked();
    written = write_settlements_locked();
    remove_settled_segments_locked();
    if (!written) written = write_settlements_locked();  // the removal may have made room
    renew_segment_locked();
  }
  if (signal == model::Signal::metrics) wake();  // the next one may go now
  return written;
}

void Journal::State::release(const model::ChunkId& id, base::SteadyTime not_before) {
  {
    const std::scoped_lock lock(mutex_);
    model::Signal signal{};
    ChunkEntry* const entry = find_locked(id, &signal);
    if (entry == nullptr) return;
    queue(signal).release(*entry, not_before);
  }
  wake();
}

void Journal::State::forget_release_times() {
  const std::scoped_lock lock(mutex_);
  for (ChunkQueue& queue : queues_) queue.forget_release_times();
}

base::SteadyTime Journal::State::next_claim_at(model::SignalSet signals, base::SteadyTime now) {
  const std::scoped_lock lock(mutex_);
  base::SteadyTime earliest = base::never;
  for (const model::Signal signal : model::all_signals) {
    if (signals.contains(signal)) earliest = std::min(earliest, queue(signal).next_claim_at(now));
  }
  return earliest;
}

void Journal::State::set_waker(std::function<void()> waker) {
  const std::scoped_lock lock(waker_mutex_);
  waker_ = std::move(waker);
}

void Journal::State::wake() {
  const std::scoped_lock lock(waker_mutex_);
  if (waker_) waker_();
}

model::Backlog Journal::State::backlog() {
  const std::scoped_lock lock(mutex_);
  model::Backlog backlog;
  for (const model::Signal signal : model::all_signals) {
    const ChunkQueue& of = queue(signal);
    backlog.chunk_count += of.size();
    backlog.bytes += of.payload_bytes();
    backlog.item_count[model::index_of(signal)] = of.item_count();
    const ChunkEntry* const front = of.front();
    if (front != nullptr && (!backlog.oldest || front->sealed_at < *backlog.oldest)) backlog.oldest = front->sealed_at;
  }
  return backlog;
}

model::Totals Journal::State::totals() {
  const std::scoped_lock lock(mutex_);
  return totals_;
}

JournalDamage Journal::State::damage() {
  const std::scoped_lock lock(mutex_);
  return damage_;
}

std::uint64_t Journal::State::size() {
  const std::scoped_lock lock(mutex_);
  return size_locked();
}

bool Journal::State::has_room_for(std::uint64_t payload_bytes) {
  const std::scoped_lock lock(mutex_);
  return is_within_budget_locked(record_size(payload_bytes));
}

bool Journal::State::holds(model::Signal signal) {
  const std::scoped_lock lock(mutex_);
  return queue(signal).size() > 0;
}

bool Journal::State::contains(const model::ChunkId& id) {
  const std::scoped_lock lock(mutex_);
  return find_locked(id, nullptr) != nullptr;
}

ChunkEntry* Journal::State::find_locked(const model::ChunkId& id, model::Signal* signal) noexcept {
  for (const model::Signal candidate : model::all_signals) {
    if (ChunkEntry* const entry = queue(candidate).find(id)) {
      if (signal != nullptr) *signal = candidate;
      return entry;
    }
  }
  return nullptr;
}

// --- the interface: everything but the question whose process this is --------------------------------------------

Journal::Journal(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Journal::~Journal() {
  if (state_ && !state_->is_ours()) static_cast<void>(state_.release());  // threads that we don't have may be inside
}

Result<std::unique_ptr<Journal>> Journal::open(os::FileSystem& file_system, os::Clock& clock,
                                               const JournalOptions& options) {
  auto state = std::make_unique<State>(file_system, clock, options);
  if (const Result<void> recovered = state->recover(); !recovered) {
    return failure(recovered.error().with_context("open the journal " + options.directory));
  }
  return std::unique_ptr<Journal>(new Journal(std::move(state)));
}

Result<void> Journal::append(const model::Chunk& chunk) {
  return state_->is_ours() ? state_->append(chunk) : not_ours();
}
bool Journal::contains(const model::ChunkId& id) const { return state_->is_ours() && state_->contains(id); }
Result<void> Journal::sync() { return state_->is_ours() ? state_->sync() : not_ours(); }
Result<std::optional<model::Claim>> Journal::claim(model::SignalSet signals, base::SteadyTime now) {
  if (!state_->is_ours()) return not_ours();
  return state_->claim(signals, now);
}
Result<void> Journal::settle(const model::Ack& ack) { return state_->is_ours() ? state_->settle(ack) : not_ours(); }
void Journal::release(const model::ChunkId& id, base::SteadyTime not_before) {
  if (state_->is_ours()) state_->release(id, not_before);
}
void Journal::forget_release_times() {
  if (state_->is_ours()) state_->forget_release_times();
}
base::SteadyTime Journal::next_claim_at(model::SignalSet signals, base::SteadyTime now) {
  return state_->is_ours() ? state_->next_claim_at(signals, now) : base::never;
}
void Journal::set_waker(std::function<void()> waker) {
  if (state_->is_ours()) state_->set_waker(std::move(waker));
}
model::Backlog Journal::backlog() const { return state_->is_ours() ? state_->backlog() : model::Backlog(); }
model::Totals Journal::totals() const { return state_->is_ours() ? state_->totals() : model::Totals(); }
model::Account Journal::account() const { return state_->is_ours() ? state_->account() : model::Account(); }
JournalDamage Journal::damage() const { return state_->is_ours() ? state_->damage() : JournalDamage(); }
std::uint64_t Journal::size() const { return state_->is_ours() ? state_->size() : 0; }
std::uint64_t Journal::size_max() const { return state_->options().size_max; }
bool Journal::has_room_for(std::uint64_t payload_bytes) const {
  return state_->is_ours() && state_->has_room_for(payload_bytes);
}
bool Journal::holds(model::Signal signal) const { return state_->is_ours() && state_->holds(signal); }

}  // namespace arca::journal
