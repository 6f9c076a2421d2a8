// World: time and what happens in it, on one thread. Everything in a history takes its turn here, so the same seed is
// the same history, line by line: the digest over all notes says so.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"

namespace arca::simulation {

class World {
 public:
  using Event = std::function<void()>;

  [[nodiscard]] base::SteadyTime now() const noexcept { return now_; }
  [[nodiscard]] base::Duration age() const noexcept { return now_ - begin; }

  // Events of the same moment happen in the order in which they were planned.
  void after(base::Duration wait, Event event) {
    events_.emplace(std::pair(now_ + wait, ++planned_), std::move(event));
  }
  [[nodiscard]] base::SteadyTime next_event_at() const noexcept {
    return events_.empty() ? base::never : events_.begin()->first.first;
  }
  // Requires that there is one.
  void run_next_event() {
    auto node = events_.extract(events_.begin());
    move_to(node.key().first);
    node.mapped()();
  }
  void move_to(base::SteadyTime time) noexcept { now_ = std::max(now_, time); }

  // The story: kept only if somebody reads it, part of the digest in any case.
  template <class... Arguments>
  void note(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    std::string line = fmt::format("{:>12.6f}  ", std::chrono::duration<double>(age()).count());
    fmt::format_to(std::back_inserter(line), format, std::forward<Arguments>(arguments)...);
    for (const char letter : line) digest_ = (digest_ ^ static_cast<unsigned char>(letter)) * 0x100000001B3ULL;
    if (tells_) fmt::print("{}\n", line);
  }
  void tell(bool tells) noexcept { tells_ = tells; }
  [[nodiscard]] std::uint64_t digest() const noexcept { return digest_; }

 private:
  static constexpr base::SteadyTime begin{std::chrono::seconds(100'000)};
  base::SteadyTime now_ = begin;
  std::uint64_t planned_ = 0;
  std::map<std::pair<base::SteadyTime, std::uint64_t>, Event> events_;
  std::uint64_t digest_ = 0xCBF29CE484222325ULL;
  bool tells_ = false;
};

}  // namespace arca::simulation
