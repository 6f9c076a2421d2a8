// The whole of a file, as text; empty if there is none.
#pragma once

#include <fstream>
#include <iterator>
#include <string>

namespace arca::support {

inline std::string contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace arca::support
