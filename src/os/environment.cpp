#include "os/environment.hpp"

#include <cstdlib>

namespace arca::os {

std::optional<std::string> SystemEnvironment::get(const std::string& name) const {
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

}  // namespace arca::os
