#include "cli/state_directory.hpp"

#include <filesystem>

#include "arca/config.hpp"

namespace arca::cli {

Result<std::string> resolve_state_directory(const std::string& option) {
  if (!option.empty()) {
    std::error_code error;
    const std::filesystem::path path = std::filesystem::absolute(option, error);
    if (error) return failure(ErrorCode::invalid_config, option + ": " + error.message());
    std::string text = path.lexically_normal().string();
    while (text.size() > 1 && text.ends_with('/')) text.pop_back();
    return text;
  }
  const auto config = finalize(Config{});
  if (!config) return failure(config.error());
  return (*config)->state_directory;
}

}  // namespace arca::cli
