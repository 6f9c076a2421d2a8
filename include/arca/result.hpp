// Failures as values: an Error says what went wrong in a permanent code and a sentence that tells
// the reader what to do; Result<T> is a T or an Error. Used by every public function that can fail;
// nothing in Arca throws across its interface.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "arca/export.hpp"

namespace arca {

// Permanent numbers: they appear in logs and JSON. Never renumber; retired numbers stay as comments.
enum class ErrorCode : int {
  invalid_config = 1,       // a key, value or combination in the configuration is not allowed
  io = 2,                   // the operating system refused a file operation
  corrupt = 3,              // bytes on disk, in a mapping or from a peer do not have the promised form
  unsupported_version = 4,  // a file or peer speaks a version that this build does not know
  busy = 5,                 // a live owner holds the lock
  full = 6,                 // a byte budget is reached
  timeout = 7,              // a deadline passed first
  unavailable = 8,          // a peer or resource cannot be reached now
  shut_down = 9,            // the component has been shut down
  not_found = 10,           // a file, directory, chunk or writer is not there
  poisoned = 11,            // an earlier sync failed; the file accepts no more writes
  internal = 12,            // a bug of ours, reported instead of crashing the host
};

// Returns the code's name as it is printed, for example "invalid_config".
ARCA_EXPORT std::string_view to_string(ErrorCode code) noexcept;

// A failure. Value type; safe to copy between threads.
class Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }

  // Returns the same failure seen from the caller: "context: message".
  [[nodiscard]] Error with_context(std::string_view context) const {
    return Error(code_, std::string(context) + ": " + message_);
  }

 private:
  ErrorCode code_;
  std::string message_;
};

template <class T>
using Result = tl::expected<T, Error>;

// Makes the failing side of a Result: `return failure(ErrorCode::io, "...")`.
inline tl::unexpected<Error> failure(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error(code, std::move(message)));
}
inline tl::unexpected<Error> failure(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace arca
