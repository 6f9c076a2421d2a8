// Small parts of which the operations of CqlStore and LeaseTable are made: a status from an answer, one status from
// several, and values read without losing a callback.
#pragma once

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include "cassandra/store.hpp"

namespace arca::cassandra {

inline StoreStatus status_of(const Answer& answer) { return {answer.outcome, answer.refusal, answer.message}; }

// Sends what `make` makes. It may run out of memory, since it copies rows: then nothing was sent.
template <class Make>
void send_request(Cql& cql, Make&& make, StoreDone done) noexcept {
  Request request;
  try {
    request = make();
  } catch (const std::exception& error) {
    return done({Outcome::not_sent, Refusal::none, error.what()});
  }
  cql.execute(std::move(request), [done = std::move(done)](const Answer& answer) { done(status_of(answer)); });
}

// Sends a read; `decode` turns the answer into what was asked for.
template <class T, class Decode>
void send_read(Cql& cql, Request&& request, Decode decode, StoreRead<T> done) noexcept {
  cql.execute(std::move(request), [decode = std::move(decode), done = std::move(done)](const Answer& answer) {
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
    done(std::move(status), std::move(value));
  });
}

// Several requests that are one operation: done when all are, with the gravest of their outcomes. Thread-safe.
class Joined {
 public:
  static std::shared_ptr<Joined> of(std::size_t count, StoreDone done) {
    return std::make_shared<Joined>(count, std::move(done));
  }
  Joined(std::size_t count, StoreDone done) : left_(count), done_(std::move(done)) {}

  void arrive(StoreStatus status) {
    std::unique_lock lock(mutex_);
    if (gravity(status.outcome) > gravity(worst_.outcome)) worst_ = std::move(status);
    if (--left_ > 0) return;
    lock.unlock();
    done_(std::move(worst_));
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
  const StoreDone done_;
};

}  // namespace arca::cassandra
