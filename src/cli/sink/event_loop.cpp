#include "cli/sink/event_loop.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.hpp"

namespace arca::cli::sink {

EventLoop::EventLoop(os::Clock& clock) : clock_(clock), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  ARCA_CHECK(epoll_ >= 0);
}

EventLoop::~EventLoop() { close(epoll_); }

Result<EventLoop::Key> EventLoop::watch(int descriptor, std::uint32_t epoll_events, Handler handler) {
  const Key key = next_key_++;
  epoll_event event{};
  event.events = epoll_events;
  event.data.u64 = key;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
    return failure(ErrorCode::io, std::string("epoll_ctl: ") + std::strerror(errno));
  }
  watches_[key] = {descriptor, std::make_shared<Handler>(std::move(handler))};
  return key;
}

void EventLoop::change(Key key, std::uint32_t epoll_events) {
  const auto found = watches_.find(key);
  if (found == watches_.end()) return;
  epoll_event event{};
  event.events = epoll_events;
  event.data.u64 = key;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, found->second.descriptor, &event);
}

void EventLoop::unwatch(Key key) {
  const auto found = watches_.find(key);
  if (found == watches_.end()) return;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, found->second.descriptor, nullptr);
  watches_.erase(found);
}

std::uint64_t EventLoop::at(base::SteadyTime when, std::function<void()> what) {
  const std::uint64_t id = next_timer_++;
  timers_.emplace(std::pair(when, id), std::move(what));
  timer_times_[id] = when;
  return id;
}

void EventLoop::cancel(std::uint64_t timer) {
  const auto found = timer_times_.find(timer);
  if (found == timer_times_.end()) return;
  timers_.erase({found->second, timer});
  timer_times_.erase(found);
}

void EventLoop::defer(std::function<void()> what) { deferred_.push_back(std::move(what)); }

void EventLoop::run() {
  while (!stopped_) step(std::chrono::hours(1));
}

void EventLoop::step(base::Duration wait_max) {
  base::Duration wait = wait_max;
  if (!timers_.empty()) wait = std::min(wait, timers_.begin()->first.first - now());
  if (wait < base::Duration::zero() || !deferred_.empty()) wait = base::Duration::zero();
  // Rounded up: waking a moment early would only spin.
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(wait).count();

  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), static_cast<int>(millis));
  for (int i = 0; i < count; ++i) {
    const std::uint64_t watch = events[static_cast<std::size_t>(i)].data.u64;  // a copy: the kernel's struct is packed
    const auto found = watches_.find(watch);
    if (found == watches_.end()) continue;  // removed by an earlier handler of this turn
    const std::shared_ptr<Handler> handler = found->second.handler;
    (*handler)(events[static_cast<std::size_t>(i)].events);
  }
  run_timers();
  run_deferred();
}

void EventLoop::run_timers() {
  const base::SteadyTime until = now();
  while (!timers_.empty() && timers_.begin()->first.first <= until) {
    auto node = timers_.extract(timers_.begin());
    timer_times_.erase(node.key().second);
    node.mapped()();
  }
}

void EventLoop::run_deferred() {
  while (!deferred_.empty()) {
    const auto work = std::exchange(deferred_, {});
    for (const auto& what : work) what();
  }
}

}  // namespace arca::cli::sink
