// look_again and read_calmly: what a live writer is just writing looks damaged for a moment, and so does what stands
// behind it. Damage is what stays so. Used by everything that looks at the files of others: `arca status`, `inspect`
// and `query`.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/time.hpp"

namespace arca::cli {

// Looks again, a few times and a moment apart, until `look` says that it has seen enough.
template <class Look>
void look_again(Look look) {
  constexpr int looks_max = 4;
  constexpr base::Duration pause = std::chrono::milliseconds(20);
  for (int i = 0; i < looks_max; ++i) {
    std::this_thread::sleep_for(pause);
    if (look()) return;
  }
}

// What `read` gives, a Result of something with `damage`: sentences, of which only those stay that each look has found.
template <class Read>
auto read_calmly(Read read) {
  auto view = read();
  if (!view || view->damage.empty()) return view;
  std::vector<std::string> damage = std::move(view->damage);
  look_again([&] {
    auto next = read();
    if (!next) return true;
    std::erase_if(damage, [&](const std::string& each) {
      return std::find(next->damage.begin(), next->damage.end(), each) == next->damage.end();
    });
    view = std::move(next);
    return damage.empty();
  });
  view->damage = std::move(damage);
  return view;
}

}  // namespace arca::cli
