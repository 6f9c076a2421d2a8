// Newest: of what is put into it the newest, as far as a count and a number of bytes allow. Used by the lists of `arca
// query`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace arca::cli::query {

// Not thread-safe.
template <class T>
class Newest {
 public:
  static constexpr std::uint64_t bytes_max = 64ULL << 20U;
  explicit Newest(std::size_t count_max) : count_max_(count_max) {}

  // Whether something of this time would be kept.
  [[nodiscard]] bool takes(std::uint64_t time) const noexcept {
    return !is_full() || (!kept_.empty() && time > kept_.front().time);
  }
  void put(std::uint64_t time, std::uint64_t bytes, T value) {
    kept_.push_back({time, bytes, std::move(value)});
    std::push_heap(kept_.begin(), kept_.end(), is_later);
    bytes_ += bytes;
    for (; kept_.size() > count_max_ || bytes_ > bytes_max; ++left_out_count_) {
      is_cut_ = is_cut_ || bytes_ > bytes_max;
      std::pop_heap(kept_.begin(), kept_.end(), is_later);
      bytes_ -= kept_.back().bytes;
      kept_.pop_back();
    }
  }
  void leave_out() noexcept { ++left_out_count_; }
  void set_count_max(std::size_t count_max) noexcept { count_max_ = count_max; }

  // Whether what is older than the oldest no longer finds room.
  [[nodiscard]] bool is_full() const noexcept { return is_cut_ || kept_.size() >= count_max_; }
  // Requires that something is kept.
  [[nodiscard]] std::uint64_t oldest() const noexcept { return kept_.front().time; }
  [[nodiscard]] bool empty() const noexcept { return kept_.empty(); }

  // What is kept, in the order of time; it is then empty.
  std::vector<T> take_all() {
    std::stable_sort(kept_.begin(), kept_.end(), [](const Timed& a, const Timed& b) { return is_later(b, a); });
    std::vector<T> all;
    all.reserve(kept_.size());
    for (Timed& each : kept_) all.push_back(std::move(each.value));
    kept_.clear();
    bytes_ = 0;
    is_cut_ = false;
    return all;
  }
  // What found no room since the last call.
  std::uint64_t take_left_out() noexcept { return std::exchange(left_out_count_, 0); }

 private:
  struct Timed {
    std::uint64_t time = 0;
    std::uint64_t bytes = 0;
    T value;
  };
  static bool is_later(const Timed& a, const Timed& b) noexcept { return a.time > b.time; }

  std::size_t count_max_;
  std::vector<Timed> kept_;  // a heap, its oldest first
  std::uint64_t bytes_ = 0;
  std::uint64_t left_out_count_ = 0;
  bool is_cut_ = false;  // by the bytes
};

}  // namespace arca::cli::query
