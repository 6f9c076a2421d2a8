// Report and Random: the two seams that every part of flow is given. Failures that nobody can return go to
// Report; all jitter comes from Random, so that a test can say what chance does.
#pragma once

#include <functional>

#include "arca/result.hpp"
#include "os/log.hpp"
#include "os/random.hpp"

namespace arca::flow {

// Must be thread-safe and must not call back. Empty stands for the library's own log.
using Report = std::function<void(const Error&)>;

inline void report(const Report& to, const Error& error) {
  if (to) {
    to(error);
  } else {
    os::log(os::LogLevel::warn, "{} ({})", error.message(), arca::to_string(error.code()));
  }
}

// Uniform in [0, 1). Must be thread-safe where several threads share it. Empty stands for a constant 0.5.
using Random = std::function<double()>;

inline double draw(const Random& random) { return random ? random() : 0.5; }

// `source` outlives what is returned.
inline Random uniform(os::Random& source) {
  return [&source] { return static_cast<double>(source.next() >> 11U) * 0x1.0p-53; };
}

}  // namespace arca::flow
