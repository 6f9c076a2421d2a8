// How often tests repeat what they repeat with one seed after the other.
#pragma once

namespace arca::support {

// A sanitizer is slow, and finds nothing new in the same code many times over: a tenth.
constexpr int repeated(int count) {
#if defined(ARCA_SANITIZED)
  return count / 10;
#else
  return count;
#endif
}

}  // namespace arca::support
