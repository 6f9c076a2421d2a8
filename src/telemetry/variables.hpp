// The one list of everything that can be configured: name, key, type, default, range and what it does. Parsing,
// `--help` and docs/configuration.md are made from it. Used by config.cpp, config_yaml.cpp and configuration_page.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "arca/config.hpp"

namespace arca::telemetry {

enum class Kind : std::uint8_t { text, boolean, count, size, ratio, probability, duration, pairs, list, choice };

// Where in a Config a variable's value lives.
using Field = std::variant<std::optional<std::string>*, std::optional<bool>*, std::optional<std::uint64_t>*,
                           std::optional<double>*, std::optional<std::chrono::milliseconds>*, std::optional<KeyValues>*,
                           std::optional<std::vector<std::string>>*>;

struct Range {
  std::uint64_t min = 0;
  std::uint64_t max = UINT64_MAX;
};

struct Variable {
  std::string name;  // in the environment
  std::string key;   // in YAML, and the path in Config
  Kind kind = Kind::text;
  std::string default_text;  // as people read it
  std::string allowed;       // of a choice or list: "a, b, c"
  Range range;               // of numbers; durations in milliseconds, sizes in bytes
  std::string help;
  std::string group;
  std::function<Field(Config&)> field;

  // Standard variables are lenient, as their specification demands; ours are strict.
  [[nodiscard]] bool is_standard() const noexcept { return name.starts_with("OTEL_"); }
};

const std::vector<Variable>& variables();
const Variable* find_by_key(std::string_view key) noexcept;

// A number from 0 to 1, as the ratio samplers take it.
std::optional<double> parse_probability(std::string_view text) noexcept;

// Parses `text` and puts the value into its field. The error says value and what is allowed, not the name.
Result<void> assign(const Variable& variable, Config& config, std::string_view text);
// Checks a value that the application has set itself; fine if it is not set.
Result<void> validate(const Variable& variable, const Config& config);
[[nodiscard]] bool is_set(const Variable& variable, const Config& config);
// The range or choices in words.
std::string describe_allowed(const Variable& variable);

// "a=b,c=d" with percent-encoding, as OTEL_RESOURCE_ATTRIBUTES and the headers have it.
Result<KeyValues> parse_pairs(std::string_view text);

}  // namespace arca::telemetry
