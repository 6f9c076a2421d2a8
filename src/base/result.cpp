#include "arca/result.hpp"

namespace arca {

std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_config:
      return "invalid_config";
    case ErrorCode::io:
      return "io";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::unsupported_version:
      return "unsupported_version";
    case ErrorCode::busy:
      return "busy";
    case ErrorCode::full:
      return "full";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::shut_down:
      return "shut_down";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::poisoned:
      return "poisoned";
    case ErrorCode::internal:
      return "internal";
  }
  return "unknown";
}

}  // namespace arca
