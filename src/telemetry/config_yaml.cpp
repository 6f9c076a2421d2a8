// Reads a Config from YAML. Maps are paths to keys of the variables list ("otlp: {traces: {endpoint: ...}}" is
// otlp.traces.endpoint), so a key that is not in the list is refused. The only file that knows yaml-cpp.
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "os/file_system.hpp"
#include "telemetry/variables.hpp"

namespace arca {
namespace {

using telemetry::Kind;
using telemetry::Variable;

constexpr std::uint64_t file_size_max = 1U << 20U;
constexpr int depth_max = 8;

class Reader {
 public:
  explicit Reader(std::string_view name) : name_(name) {}

  Result<Config> read(std::string_view text) {
    // The parser throws; nothing of it leaves this function.
    try {
      const YAML::Node root = YAML::Load(std::string(text));
      if (root.IsNull()) return config_;
      if (!root.IsMap()) return fail(root, "the file must be a map of keys");
      if (auto done = read_map(root, "", 0); !done) return tl::unexpected(done.error());
      return config_;
    } catch (const YAML::Exception& error) {
      return failure(ErrorCode::invalid_config, fmt::format("{}:{}: {}", name_, error.mark.line + 1, error.msg));
    }
  }

 private:
  tl::unexpected<Error> fail(const YAML::Node& node, const std::string& what) const {
    return failure(ErrorCode::invalid_config, fmt::format("{}:{}: {}", name_, node.Mark().line + 1, what));
  }

  Result<void> read_map(const YAML::Node& map, const std::string& prefix, int depth) {
    if (depth > depth_max) return fail(map, "nested too deeply");
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) return fail(entry.first, "a key must be a plain word");
      const std::string key = prefix + entry.first.Scalar();
      const Variable* variable = telemetry::find_by_key(key);
      const bool is_group = variable == nullptr && entry.second.IsMap() && begins_a_key(key + ".");
      if (variable == nullptr && !is_group) return fail(entry.first, fmt::format("unknown key \"{}\"", key));
      auto done =
          is_group ? read_map(entry.second, key + ".", depth + 1) : read_value(*variable, entry.first, entry.second);
      if (!done) return done;
    }
    return {};
  }

  static bool begins_a_key(const std::string& prefix) {
    for (const Variable& variable : telemetry::variables()) {
      if (variable.key.starts_with(prefix)) return true;
    }
    return false;
  }

  Result<void> read_value(const Variable& variable, const YAML::Node& key, const YAML::Node& value) {
    if (telemetry::is_set(variable, config_)) return fail(key, fmt::format("{} is given twice", variable.key));
    if (value.IsNull()) return {};  // "key:" alone means: not set
    if (variable.kind == Kind::pairs && value.IsMap()) return read_pairs(variable, value);
    if (variable.kind == Kind::list && value.IsSequence()) return read_list(variable, value);
    if (!value.IsScalar()) {
      return fail(value, fmt::format("{}: allowed is {}", variable.key, telemetry::describe_allowed(variable)));
    }
    return assign(variable, value, value.Scalar());
  }

  Result<void> assign(const Variable& variable, const YAML::Node& at, const std::string& text) {
    const auto done = telemetry::assign(variable, config_, text);
    if (!done) return fail(at, fmt::format("{}: {}", variable.key, done.error().message()));
    return {};
  }

  Result<void> read_pairs(const Variable& variable, const YAML::Node& map) {
    KeyValues pairs;
    for (const auto& entry : map) {
      if (!entry.first.IsScalar() || !entry.second.IsScalar()) {
        return fail(entry.first, fmt::format("{}: keys and values must be plain text", variable.key));
      }
      pairs.emplace_back(entry.first.Scalar(), entry.second.Scalar());
    }
    *std::get<std::optional<KeyValues>*>(variable.field(config_)) = std::move(pairs);
    return {};
  }

  Result<void> read_list(const Variable& variable, const YAML::Node& sequence) {
    std::string joined;
    for (const auto& item : sequence) {
      if (!item.IsScalar()) return fail(item, fmt::format("{}: items must be plain text", variable.key));
      joined += joined.empty() ? item.Scalar() : "," + item.Scalar();
    }
    return assign(variable, sequence, joined);
  }

  std::string name_;
  Config config_;
};

Result<std::string> read_file(const std::string& path) {
  auto file = os::posix_file_system().open(path, os::OpenMode::read);
  if (!file) return tl::unexpected(file.error());
  const auto size = (*file)->size();
  if (!size) return tl::unexpected(size.error());
  if (*size > file_size_max) {
    return failure(ErrorCode::invalid_config, fmt::format("{} bytes; at most {} are read", *size, file_size_max));
  }
  std::string text(*size, '\0');
  const auto count = (*file)->read_at(0, std::as_writable_bytes(std::span<char>(text)));
  if (!count) return tl::unexpected(count.error());
  text.resize(*count);
  return text;
}

}  // namespace

Result<Config> Config::from_yaml_text(std::string_view text, std::string_view name) { return Reader(name).read(text); }

Result<Config> Config::from_yaml(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return failure(text.error().with_context("read the configuration " + path));
  return from_yaml_text(*text, path);
}

}  // namespace arca
