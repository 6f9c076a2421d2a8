// EventLoop: one thread that waits for sockets and timers. The whole sink lives on it, so nothing there needs a
// lock. Used by SinkServer and its connections.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "arca/result.hpp"
#include "base/time.hpp"
#include "os/clock.hpp"

namespace arca::cli::sink {

// Not thread-safe: all calls from the thread that runs it.
class EventLoop {
 public:
  using Key = std::uint64_t;
  using Handler = std::function<void(std::uint32_t epoll_events)>;

  explicit EventLoop(os::Clock& clock);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Calls the handler whenever the descriptor has one of the events. A handler may remove itself.
  Result<Key> watch(int descriptor, std::uint32_t epoll_events, Handler handler);
  void change(Key key, std::uint32_t epoll_events);
  void unwatch(Key key);

  // Calls once at (or soon after) the time. Returns a number for cancel().
  std::uint64_t at(base::SteadyTime when, std::function<void()> what);
  void cancel(std::uint64_t timer);
  // Calls after the handlers of this turn: the place to destroy what a handler belongs to.
  void defer(std::function<void()> what);

  [[nodiscard]] base::SteadyTime now() { return clock_.steady_now(); }
  void run();  // until stop()
  void stop() noexcept { stopped_ = true; }
  // One turn: waits at most until the next timer (or `wait_max`), then calls what is due.
  void step(base::Duration wait_max);

 private:
  struct Watch {
    int descriptor = -1;
    std::shared_ptr<Handler> handler;  // shared: it stays alive while it runs, even if it unwatches itself
  };
  void run_timers();
  void run_deferred();

  os::Clock& clock_;
  int epoll_;
  bool stopped_ = false;
  Key next_key_ = 1;
  std::uint64_t next_timer_ = 1;
  std::unordered_map<Key, Watch> watches_;
  std::map<std::pair<base::SteadyTime, std::uint64_t>, std::function<void()>> timers_;
  std::unordered_map<std::uint64_t, base::SteadyTime> timer_times_;
  std::vector<std::function<void()>> deferred_;
};

}  // namespace arca::cli::sink
