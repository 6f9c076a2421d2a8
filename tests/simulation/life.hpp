// Life: whether a simulated process runs, stands still, or is dead. A dead one finishes the call that it is in, because
// it shares the thread with everybody, but nothing that it does from then on reaches disk, network or memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace arca::simulation {

class Life : public std::enable_shared_from_this<Life> {
 public:
  [[nodiscard]] bool is_dead() const noexcept { return is_dead_; }
  [[nodiscard]] bool is_frozen() const noexcept { return is_frozen_; }
  [[nodiscard]] bool runs() const noexcept { return !is_dead_ && !is_frozen_; }

  // What is to be saved of the last moment, before anything else happens.
  void set_last_act(std::function<void()> last_act) { last_act_ = std::move(last_act); }
  void die() {
    if (std::exchange(is_dead_, true)) return;
    waiting_.clear();
    if (last_act_) last_act_();
  }
  // Dies in the n-th changing operation on its disk from now, or at the n-th passing of a named point.
  void die_at_operation(std::uint64_t n) noexcept { operations_left_ = n; }
  bool dies_in_this_operation() noexcept { return operations_left_ != 0 && --operations_left_ == 0; }
  void die_at_point(std::uint64_t n) noexcept { points_left_ = n; }
  void pass_point() {
    if (points_left_ != 0 && --points_left_ == 0) die();
  }

  void freeze() noexcept { is_frozen_ = true; }
  void thaw() {
    is_frozen_ = false;
    // What came meanwhile waits in the sockets.
    std::vector<std::function<void()>> waiting;
    waiting.swap(waiting_);
    for (auto& each : waiting) each();
  }
  // Something arrives at the process: now, when it goes on, or never.
  void receive(std::function<void()> what) {
    if (is_dead_) return;
    if (is_frozen_) {
      waiting_.push_back(std::move(what));
    } else {
      what();
    }
  }

 private:
  bool is_dead_ = false;
  bool is_frozen_ = false;
  std::uint64_t operations_left_ = 0;
  std::uint64_t points_left_ = 0;
  std::function<void()> last_act_;
  std::vector<std::function<void()>> waiting_;
};

}  // namespace arca::simulation
