// Uses the installed library as an application does: public headers, libarca, nothing else.
#include <arca/result.hpp>
#include <cstdio>

int main() {
  const auto name = arca::to_string(arca::ErrorCode::invalid_config);
  std::printf("%.*s\n", static_cast<int>(name.size()), name.data());
  return name == "invalid_config" ? 0 : 1;
}
