#include "cassandra/row_writer.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/crash_point.hpp"
#include "cassandra/row_writer_state.hpp"

namespace arca::cassandra {
namespace {

constexpr auto longest_wait = std::chrono::milliseconds(20);   // while anything is pending: its clock may be a test's
constexpr base::Duration names_valid = std::chrono::hours(1);  // then they are written again: their rows end by TTL
constexpr std::size_t names_max = 1U << 16U;  // in that time; a program that invents names has no index
constexpr base::Duration burst = std::chrono::milliseconds(100);  // what the rate limit lets go at once
constexpr std::size_t chunk_share = 4;                            // of the window that rows leave to chunks, in batches

std::int64_t microseconds_of(base::WallTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

}  // namespace

base::Duration row_backoff(std::uint32_t failure_count) noexcept {
  const std::uint32_t doublings = std::min<std::uint32_t>(failure_count > 0 ? failure_count - 1 : 0, 10);
  return std::min<base::Duration>(std::chrono::milliseconds(100) * (1U << doublings), std::chrono::seconds(10));
}

// --- the thread ----------------------------------------------------------------------------------

void RowWriter::State::run(const std::stop_token& stop) {
  Lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (step(lock)) continue;
    const bool is_idle = queue_.empty() && segments_.empty() && in_flight_count_ == 0 && making_.work == nullptr;
    if (is_idle) {
      changed_.wait(lock);
    } else {
      changed_.wait_for(lock, longest_wait);
    }
  }
}

// One thing that can be done now; false: nothing can.
bool RowWriter::State::step(Lock& lock) {
  try {
    return send_due_mark(lock) || send_due_retry(lock) || send_next(lock);
  } catch (const std::exception& error) {
    if (!lock.owns_lock()) lock.lock();
    status_.last_error = error.what();
    // Memory ran out in the middle of a chunk. Its place is kept, so recovery makes its rows.
    if (const WorkPointer work = std::exchange(making_.work, nullptr)) {
      leave_to_recovery(*work->segment, work->chunk.position);
      work->is_made = true;
      finish_if_written(work);
    }
    return false;
  }
}

bool RowWriter::State::send_due_retry(Lock& lock) {
  const base::SteadyTime now = clock_.steady_now();
  const auto due = std::find_if(retries_.begin(), retries_.end(),
                                [now](const WritePointer& write) { return write->retry_at <= now; });
  if (due == retries_.end()) return false;
  const WritePointer write = *due;
  retries_.erase(due);
  lock.unlock();
  send(write);
  lock.lock();
  return true;
}

bool RowWriter::State::may_send(base::SteadyTime now) const {
  const std::uint32_t most =
      now < moving_until_ ? std::min(options_.in_flight_max_moving, options_.in_flight_max) : options_.in_flight_max;
  return in_flight_count_ < most && next_write_at_ <= now;
}

bool RowWriter::State::send_next(Lock& lock) {
  if (making_.work == nullptr && !take_chunk(lock)) return false;
  if (making_.work == nullptr) return true;
  const base::SteadyTime now = clock_.steady_now();
  if (!may_send(now)) return false;
  lock.unlock();
  // Parking comes first: rows leave it a part of the window.
  if (!store_.has_window(batch_bytes_max * chunk_share)) {
    lock.lock();
    return false;
  }
  const WritePointer write = make_write();
  lock.lock();
  if (write == nullptr) {
    const WorkPointer work = std::exchange(making_.work, nullptr);
    work->is_made = true;
    status_.skipped_item_count += maker_.skipped_item_count();
    finish_if_written(work);
    return true;
  }
  ++write->work->write_count;
  ++in_flight_count_;
  if (const auto* rows = std::get_if<TraceRows>(&write->what); rows != nullptr && options_.rows_per_second > 0) {
    next_write_at_ = std::max(next_write_at_, now - burst) +
                     std::chrono::nanoseconds(1'000'000'000ULL * rows->rows.size() / options_.rows_per_second);
  }
  lock.unlock();
  send(write);
  lock.lock();
  return true;
}

// Begins the next chunk of the queue. False: there is none that can be begun now.
bool RowWriter::State::take_chunk(Lock& lock) {
  if (queue_.empty()) return false;
  const WorkPointer work = queue_.front();
  if (work->chunk.payload == nullptr) return read_back(lock, work);
  queue_.pop_front();
  memory_ -= std::min<std::uint64_t>(memory_, work->chunk.payload->size());
  begin(work, lock);
  return true;
}

// Asks for the payload of the chunk at the front, or takes what was answered.
bool RowWriter::State::read_back(Lock& lock, const WorkPointer& work) {
  if (reading_ != 0 || read_again_at_ > clock_.steady_now()) return false;
  if (!read_answer_) {
    const std::uint64_t number = reading_ = ++read_number_;
    lock.unlock();
    store_.read_chunks(work->segment->name.id, work->chunk.position, 1,
                       [self = shared_from_this(), number](const StoreStatus& status, std::vector<StoredChunk> chunks) {
                         const std::lock_guard again(self->mutex_);
                         if (self->reading_ != number) return;
                         self->reading_ = 0;
                         self->read_answer_.emplace(status, std::move(chunks));
                         self->changed_.notify_all();
                       });
    lock.lock();
    return reading_ == 0;
  }
  const auto [status, chunks] = *std::exchange(read_answer_, std::nullopt);
  if (!status.ok()) {
    note_failure(status);
    read_again_at_ = clock_.steady_now() + row_backoff(++read_failure_count_);
    return false;
  }
  read_failure_count_ = 0;
  ++status_.read_back_count;
  queue_.pop_front();
  if (chunks.empty() || chunks.front().position != work->chunk.position) {
    skip(work, "it is no longer in Cassandra");
    return true;
  }
  work->chunk = chunks.front();
  begin(work, lock);
  return true;
}

void RowWriter::State::begin(const WorkPointer& work, Lock& lock) {
  making_ = {};
  lock.unlock();
  auto chunk = unpack(work->chunk);
  Result<void> read;
  if (chunk) {
    if (chunk->payload.slices().size() != 1) chunk->payload = model::Payload::own(chunk->payload.flatten());
    making_.request = chunk->payload;
    read = maker_.read(making_.request.slices().front());
  } else {
    read = failure(chunk.error());
  }
  lock.lock();
  work->chunk.payload.reset();
  if (read) {
    making_.work = work;
  } else {
    skip(work, read.error().message());
  }
}

void RowWriter::State::skip(const WorkPointer& work, const std::string& why) {
  status_.skipped_item_count += work->chunk.item_count;
  status_.last_error = "chunk " + to_string(work->chunk.id) + " has no rows for look-up: " + why;
  os::log(os::LogLevel::error, "{}", status_.last_error);
  work->is_made = true;
  finish_if_written(work);
}

// --- writes --------------------------------------------------------------------------------------

// The next write of the chunk that is being made; null: there is none. Without the lock.
RowWriter::State::WritePointer RowWriter::State::make_write() {
  WritePointer write;
  if (auto rows = maker_.next()) {
    write = std::make_shared<Write>();
    write->what = std::move(*rows);
  } else {
    if (!std::exchange(making_.has_rest, true)) make_rest();
    if (making_.rest.empty()) return nullptr;
    write = std::move(making_.rest.front());
    making_.rest.pop_front();
  }
  write->work = making_.work;
  write->timestamp_us = microseconds_of(clock_.wall_now());
  return write;
}

void RowWriter::State::make_rest() {
  for (TraceEntries& entries : maker_.entries()) {
    making_.rest.push_back(std::make_shared<Write>());
    making_.rest.back()->what = std::move(entries);
  }
  const base::SteadyTime now = clock_.steady_now();
  if (now - names_known_since_ >= names_valid) {
    known_names_.clear();
    names_known_since_ = now;
  }
  for (auto& all : maker_.names()) {
    Names names = unknown_names(std::move(all));
    if (names.operations.empty()) continue;
    making_.rest.push_back(std::make_shared<Write>());
    making_.rest.back()->what = std::move(names);
  }
}

RowWriter::State::Names RowWriter::State::unknown_names(std::pair<std::string, std::vector<std::string>> all) {
  Names names{std::move(all.first), {}};
  for (std::string& operation : all.second) {
    if (known_names_.size() >= names_max) break;
    if (known_names_.insert(names.service + '\0' + operation).second) names.operations.push_back(std::move(operation));
  }
  return names;
}

void RowWriter::State::send(const WritePointer& write) noexcept {
  try {
    StoreDone done = [self = shared_from_this(), write](const StoreStatus& status) {
      self->take_answer(write, status);
    };
    if (const auto* rows = std::get_if<TraceRows>(&write->what)) {
      base::crash_point("park.rows.before_put");
      store_.put_rows(*rows, write->timestamp_us, std::move(done));
    } else if (const auto* entries = std::get_if<TraceEntries>(&write->what)) {
      store_.put_entries(*entries, write->timestamp_us, std::move(done));
    } else {
      const Names& names = std::get<Names>(write->what);
      store_.put_names(names.service, names.operations, std::move(done));
    }
  } catch (const std::exception& error) {  // no memory for the callback: nothing was sent
    take_answer(write, {Outcome::not_sent, Refusal::none, error.what()});
  }
}

void RowWriter::State::take_answer(const WritePointer& write, const StoreStatus& status) noexcept {
  const std::lock_guard lock(mutex_);
  const auto* rows = std::get_if<TraceRows>(&write->what);
  const std::uint64_t row_count = rows != nullptr ? rows->rows.size() : 0;
  if (rows != nullptr && status.ok()) base::crash_point("park.rows.put");
  // What a server calls invalid it will call so for ever; the chunk has it all the same.
  const bool is_hopeless =
      status.outcome == Outcome::refused && (status.refusal == Refusal::invalid || status.refusal == Refusal::usage);
  if (!status.ok()) note_failure(status);
  if (!status.ok() && !is_hopeless) {
    write->retry_at = clock_.steady_now() + row_backoff(++write->failure_count);
    retries_.push_back(write);
    changed_.notify_all();
    return;
  }
  (status.ok() ? status_.row_count : status_.skipped_item_count) += row_count;
  --in_flight_count_;
  --write->work->write_count;
  finish_if_written(write->work);
  changed_.notify_all();
}

void RowWriter::State::finish_if_written(const WorkPointer& work) noexcept {
  if (!work->is_made || work->write_count > 0) return;
  --status_.pending_chunk_count;
  status_.pending_item_count -= work->chunk.item_count;
  try {
    finish(*work->segment, work->chunk.position);
  } catch (const std::exception&) {
    lost_track_ = true;
  }
}

void RowWriter::State::note_failure(const StoreStatus& status) noexcept {
  ++status_.failure_count;
  try {
    status_.last_error = status.message;
  } catch (const std::exception&) {  // the count tells as much
    status_.last_error.clear();
  }
}

// --- the writer ----------------------------------------------------------------------------------

RowWriter::RowWriter(ParkingStore& store, os::Clock& clock, RowWriterOptions options)
    : state_(std::make_shared<State>(store, clock, options)) {}

RowWriter::~RowWriter() { state_->stop(); }

void RowWriter::add(const SegmentName& segment, StoredChunk chunk) noexcept { state_->add(segment, std::move(chunk)); }

void RowWriter::end(const SegmentName& segment, std::int32_t chunk_count, std::function<void()> done) noexcept {
  state_->end(segment, chunk_count, std::move(done));
}

void RowWriter::give_way(base::Duration time) noexcept { state_->give_way(time); }
bool RowWriter::drain(base::SteadyTime deadline) { return state_->drain(deadline); }
RowWriterStatus RowWriter::status() const { return state_->status(); }

}  // namespace arca::cassandra
