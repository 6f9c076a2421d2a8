// How far the rows of each segment are, and how the directory learns of it.
#include <algorithm>
#include <exception>
#include <utility>

#include "cassandra/row_writer_state.hpp"
#include "os/thread.hpp"

namespace arca::cassandra {

void RowWriter::State::give_way(base::Duration time) noexcept {
  const std::lock_guard lock(mutex_);
  moving_until_ = std::max(moving_until_, clock_.steady_now() + time);
}

void RowWriter::State::add(const SegmentName& name, StoredChunk chunk) noexcept {
  const std::lock_guard lock(mutex_);
  moving_until_ = std::max(moving_until_, clock_.steady_now() + options_.moving_pause);
  try {
    const SegmentPointer segment = segment_of(name);
    const std::int32_t position = chunk.position;
    if (chunk.signal != model::Signal::traces) {
      finish(*segment, position);
    } else if (queue_.size() >= options_.pending_max) {
      leave_to_recovery(*segment, position);
    } else {
      auto work = std::make_shared<Work>();
      work->segment = segment;
      work->chunk = std::move(chunk);
      const std::uint64_t size = work->chunk.payload != nullptr ? work->chunk.payload->size() : 0;
      if (memory_ + size > options_.memory_max) work->chunk.payload.reset();
      segment->pending.insert(position);
      try {
        queue_.push_back(work);
      } catch (...) {
        segment->pending.erase(position);
        throw;
      }
      if (work->chunk.payload != nullptr) memory_ += size;
      ++status_.pending_chunk_count;
      status_.pending_item_count += work->chunk.item_count;
    }
    start_thread();
  } catch (const std::exception& error) {
    lost_track_ = true;
    status_.last_error = error.what();
  }
  changed_.notify_all();
}

void RowWriter::State::end(const SegmentName& name, std::int32_t chunk_count, std::function<void()> done) noexcept {
  const std::lock_guard lock(mutex_);
  try {
    const SegmentPointer segment = segment_of(name);
    segment->chunk_count = chunk_count;
    segment->done_callback = std::move(done);
    segment->mark_at = {};
    start_thread();
  } catch (const std::exception& error) {
    lost_track_ = true;
    status_.last_error = error.what();
  }
  changed_.notify_all();
}

RowWriter::State::SegmentPointer RowWriter::State::segment_of(const SegmentName& name) {
  SegmentPointer& segment = segments_[name];
  if (segment == nullptr) {
    segment = std::make_shared<Segment>();
    segment->name = name;
    segment->mark_at = clock_.steady_now() + options_.mark_interval;
  }
  return segment;
}

void RowWriter::State::start_thread() {
  if (thread_.joinable()) return;
  auto thread = os::start_thread("arca-rows", [this](const std::stop_token& stop) { run(stop); });
  if (thread) {
    thread_ = std::move(*thread);
  } else {
    status_.last_error = thread.error().message();  // tried again with the next chunk
  }
}

void RowWriter::State::leave_to_recovery(Segment& segment, std::int32_t position) {
  segment.left = std::min(segment.left.value_or(position), position);
  ++status_.left_chunk_count;
}

void RowWriter::State::finish(Segment& segment, std::int32_t position) {
  segment.pending.erase(position);
  const bool counts = !segment.left || position < *segment.left;
  if (counts) segment.done.insert(position);
  while (!segment.done.empty() && *segment.done.begin() == segment.prefix) {
    segment.done.erase(segment.done.begin());
    ++segment.prefix;
  }
  if (is_whole(segment)) segment.mark_at = {};
}

// What the directory may say now.
std::int32_t RowWriter::State::mark_of(const Segment& segment) const {
  if (!is_whole(segment) || lost_track_) return segment.left ? std::min(segment.prefix, *segment.left) : segment.prefix;
  return segment.left ? *segment.left : *segment.chunk_count;
}

bool RowWriter::State::send_due_mark(Lock& lock) {
  const base::SteadyTime now = clock_.steady_now();
  for (auto at = segments_.begin(); at != segments_.end(); ++at) {
    const SegmentPointer segment = at->second;
    if (segment->is_marking || segment->mark_at > now) continue;
    const std::int32_t position = mark_of(*segment);
    if (position > segment->marked) {
      segment->is_marking = true;
      segment->mark_at = now + options_.mark_interval;
      lock.unlock();
      store_.mark_rows(segment->name, position,
                       [self = shared_from_this(), segment, position](const StoreStatus& status) {
                         self->take_marked(segment, position, status);
                       });
      lock.lock();
      return true;
    }
    if (is_whole(*segment)) {
      segments_.erase(at);
      const auto done = std::move(segment->done_callback);
      lock.unlock();
      if (done) done();
      lock.lock();
      changed_.notify_all();
      return true;
    }
  }
  return false;
}

void RowWriter::State::take_marked(const SegmentPointer& segment, std::int32_t position,
                                   const StoreStatus& status) noexcept {
  const std::lock_guard lock(mutex_);
  segment->is_marking = false;
  if (status.ok()) {
    segment->failure_count = 0;
    segment->marked = position;
    if (is_whole(*segment)) segment->mark_at = {};
  } else {
    note_failure(status);
    segment->mark_at = clock_.steady_now() + row_backoff(++segment->failure_count);
  }
  changed_.notify_all();
}

bool RowWriter::State::drain(base::SteadyTime deadline) {
  Lock lock(mutex_);
  const auto is_pending = [this] {
    return status_.pending_chunk_count > 0 || std::any_of(segments_.begin(), segments_.end(), [](const auto& each) {
             return each.second->chunk_count.has_value();
           });
  };
  while (is_pending()) {
    if (clock_.steady_now() >= deadline) return false;
    changed_.wait_for(lock, std::chrono::milliseconds(5));
  }
  return true;
}

RowWriterStatus RowWriter::State::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void RowWriter::State::stop() {
  std::jthread thread;
  {
    const std::lock_guard lock(mutex_);
    thread = std::move(thread_);
    thread.request_stop();
    changed_.notify_all();
  }
  if (thread.joinable()) thread.join();
}

}  // namespace arca::cassandra
