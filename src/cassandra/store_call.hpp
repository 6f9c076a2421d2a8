// Small parts of which the operations of CqlStore and LeaseTable are made: a status from an answer, one status from
// several, and requests that are made without losing a callback, also when there is no memory to make them.
#pragma once

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include "cassandra/store.hpp"

namespace arca::cassandra {

inline StoreStatus status_of(const Answer& answer) noexcept {
  StoreStatus status{answer.outcome, answer.refusal, {}};
  try {
    status.message = answer.message;
  } catch (const std::exception&) {  // no memory for the text; the outcome is what counts
  }
  return status;
}

// A callback where passing it on costs no memory.
template <class Done>
using Kept = std::shared_ptr<const Done>;

inline void say_no_memory(const StoreDone& done) noexcept { done({Outcome::not_sent, Refusal::none, "no memory"}); }
template <class T>
void say_no_memory(const StoreRead<T>& done) noexcept {
  done({Outcome::not_sent, Refusal::none, "no memory"}, T{});
}

// Runs `step`, which makes requests and, last of all, sends them: what throws has run out of memory before, and `done`
// hears of it. Whether all went well.
template <class Done, class Step>
bool attempt(const Kept<Done>& done, Step step) noexcept {
  try {
    step();
    return true;
  } catch (const std::exception&) {
    say_no_memory(*done);
    return false;
  }
}
// The same with a callback that is not kept yet: `step` gets it.
template <class Done, class Step>
void attempt_with(Done done, Step step) noexcept {
  Kept<Done> kept;
  try {
    kept = std::make_shared<const Done>(std::move(done));
  } catch (const std::exception&) {
    return say_no_memory(done);
  }
  attempt(kept, [&] { step(kept); });
}

// Sends what `make` makes.
template <class Make>
void send_request(Cql& cql, Make&& make, StoreDone done) noexcept {
  attempt_with(std::move(done), [&](const Kept<StoreDone>& kept) {
    AnswerCallback answered = [kept](const Answer& answer) { (*kept)(status_of(answer)); };
    cql.execute(make(), std::move(answered));
  });
}

// Sends a read that `make` makes; `decode` turns the answer into what was asked for.
template <class T, class Make, class Decode>
void send_read(Cql& cql, Make&& make, Decode decode, StoreRead<T> done) noexcept {
  attempt_with(std::move(done), [&](const Kept<StoreRead<T>>& kept) {
    AnswerCallback answered = [decode = std::move(decode), kept](const Answer& answer) {
      StoreStatus status = status_of(answer);
      T value{};
      if (status.ok()) {
        try {
          value = decode(answer);
        } catch (const std::exception& error) {
          status = {Outcome::unknown, Refusal::none, error.what()};
          value = T{};
        }
      }
      (*kept)(std::move(status), std::move(value));
    };
    cql.execute(make(), std::move(answered));
  });
}

// Several requests that are one operation: done when all are, with the gravest of their outcomes. Thread-safe.
class Joined {
 public:
  Joined(std::size_t count, Kept<StoreDone> done) : left_(count), done_(std::move(done)) {}

  void arrive(StoreStatus status) {
    std::unique_lock lock(mutex_);
    if (gravity(status.outcome) > gravity(worst_.outcome)) worst_ = std::move(status);
    if (--left_ > 0) return;
    lock.unlock();
    (*done_)(std::move(worst_));
  }

 private:
  // Trying again is no use, may be a repetition, is not one.
  static int gravity(Outcome outcome) noexcept {
    switch (outcome) {
      case Outcome::refused:
        return 4;
      case Outcome::unknown:
        return 3;
      case Outcome::not_taken:
        return 2;
      case Outcome::not_sent:
        return 1;
      case Outcome::ok:
        break;
    }
    return 0;
  }

  std::mutex mutex_;
  std::size_t left_;  // these protected by mutex_
  StoreStatus worst_{};
  const Kept<StoreDone> done_;
};

}  // namespace arca::cassandra
