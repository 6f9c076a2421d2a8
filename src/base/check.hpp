// ARCA_CHECK: an invariant of our own code, always on. A library in other people's processes must not
// abort them, so a failed check reports once and throws base::InternalError, which every thread of ours and
// every entry of the public interface catches and turns into ErrorCode::internal.
#pragma once

#include <stdexcept>
#include <string>

namespace arca::base {

class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  throw InternalError(std::string(file) + ":" + std::to_string(line) + ": broken invariant: " + condition);
}

}  // namespace arca::base

#define ARCA_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::arca::base::check_failed(#condition, __FILE__, __LINE__))
