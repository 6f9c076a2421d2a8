#include "os/environment.hpp"

#include <unistd.h>

#include <array>
#include <cstdlib>

namespace arca::os {

std::optional<std::string> SystemEnvironment::get(const std::string& name) const {
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

}  // namespace arca::os
