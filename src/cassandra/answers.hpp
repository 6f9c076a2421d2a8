// Answers: many requests under way, their answers taken on the thread that waits. Used by ParkedReader.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "arca/result.hpp"
#include "os/clock.hpp"

namespace arca::cassandra {

// Answers as they come, each with the number of its question. Thread-safe: many put, one takes. Shared with the
// callbacks, so that an answer that comes too late finds somebody who drops it.
template <class T>
class Answers {
 public:
  void put(std::size_t number, T answer) {
    {
      const std::scoped_lock lock(mutex_);
      arrived_.emplace_back(number, std::move(answer));
    }
    changed_.notify_one();
  }

  // Nothing if none has come within the time.
  std::optional<std::pair<std::size_t, T>> take(base::Duration at_most) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, at_most, [this] { return !arrived_.empty(); })) return std::nullopt;
    auto first = std::move(arrived_.front());
    arrived_.pop_front();
    return first;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<std::size_t, T>> arrived_;  // protected by mutex_
};

// Asks the questions 0 to count - 1, at most `in_flight_max` at a time. ErrorCode::timeout when for so long no answer
// has come: many questions take as long as they take. `ask(number, done)` sends one; `take(number,
// answer)` is called on this thread, and says what next: go on, ask this number again (its next page, or it was not
// sent), or stop.
enum class Next : std::uint8_t { go_on, again, again_later, stop };

template <class T>
Result<void> ask_all(std::size_t count, std::uint32_t in_flight_max, os::Clock& clock, base::Duration timeout,
                     const std::function<void(std::size_t, std::function<void(T)>)>& ask,
                     const std::function<Result<Next>(std::size_t, T&)>& take) {
  constexpr base::Duration pause = std::chrono::milliseconds(2);
  base::SteadyTime deadline = clock.steady_now() + timeout;
  const auto answers = std::make_shared<Answers<T>>();
  const auto send = [&](std::size_t number) {
    ask(number, [answers, number](T answer) { answers->put(number, std::move(answer)); });
  };
  std::deque<std::size_t> later;  // were not sent: the window is full, or nobody is connected yet
  std::size_t next = 0;
  std::size_t under_way = 0;
  while (next < count || under_way > 0 || !later.empty()) {
    while (next < count && under_way < in_flight_max && later.empty()) {
      ++under_way;
      send(next++);
    }
    const base::SteadyTime now = clock.steady_now();
    if (now >= deadline) return failure(ErrorCode::timeout, "no answer in time");
    auto answer = answers->take(later.empty() ? deadline - now : std::min(pause, deadline - now));
    if (!answer) {
      if (!later.empty()) {
        ++under_way;
        send(later.front());
        later.pop_front();
      }
      continue;
    }
    --under_way;
    const auto verdict = take(answer->first, answer->second);
    if (!verdict) return failure(verdict.error());
    if (*verdict == Next::stop) return {};
    if (*verdict == Next::again_later) {
      later.push_back(answer->first);
    } else {
      deadline = clock.steady_now() + timeout;
    }
    if (*verdict == Next::again) {
      ++under_way;
      send(answer->first);
    }
  }
  return {};
}

}  // namespace arca::cassandra
