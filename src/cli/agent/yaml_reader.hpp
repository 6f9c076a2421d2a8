// Reads one YAML mapping key by key: each known key has a function that takes its value, any other is refused
// with its line and the list of those that are known. Used by agent_config.cpp.
#pragma once

#include <yaml-cpp/yaml.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arca/result.hpp"

namespace arca::cli::agent {

// Not thread-safe. Lives while one document is read.
class YamlReader {
 public:
  explicit YamlReader(std::string document) : document_(std::move(document)) {}

  using Take = std::function<Result<void>(const YAML::Node& value, const std::string& key)>;
  using Keys = std::vector<std::pair<std::string_view, Take>>;

  // Walks over `mapping`, called `path` in messages ("" at the top). An empty mapping is fine.
  Result<void> read_mapping(const YAML::Node& mapping, const std::string& path, const Keys& keys) const;
  Result<void> read_list(const YAML::Node& list, const std::string& key, std::size_t count_max,
                         const std::function<Result<void>(const YAML::Node& item)>& take) const;
  // name: "document:line: message".
  [[nodiscard]] tl::unexpected<Error> refuse(const YAML::Node& where, const std::string& message) const;

  // Makers of Take for simple values. The target outlives the reading.
  Take text(std::string& target) const;
  Take text(std::optional<std::string>& target) const;
  Take boolean(bool& target) const;
  Take number(std::int64_t& target, std::int64_t low, std::int64_t high) const;
  Take duration(std::chrono::milliseconds& target, std::chrono::milliseconds low, std::chrono::milliseconds high) const;
  Take one_of(std::string& target, std::vector<std::string_view> allowed) const;
  Take pairs(std::vector<std::pair<std::string, std::string>>& target) const;

 private:
  const std::string document_;
};

}  // namespace arca::cli::agent
