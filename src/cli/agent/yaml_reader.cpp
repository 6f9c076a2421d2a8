#include "cli/agent/yaml_reader.hpp"

#include <algorithm>
#include <set>

#include "cli/agent/text.hpp"
#include "cli/units.hpp"

namespace arca::cli::agent {
namespace {

constexpr std::size_t pairs_max = 64;

std::string join(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

std::string quoted(const YAML::Node& value) { return value.IsScalar() ? "\"" + value.Scalar() + "\"" : "a collection"; }

}  // namespace

tl::unexpected<Error> YamlReader::refuse(const YAML::Node& where, const std::string& message) const {
  const int line = where.Mark().line;  // counts from 0; -1 where the parser does not know
  const std::string place = line >= 0 ? ":" + std::to_string(line + 1) : "";
  return failure(ErrorCode::invalid_config, document_ + place + ": " + message);
}

Result<void> YamlReader::read_mapping(const YAML::Node& mapping, const std::string& path, const Keys& keys) const {
  if (mapping.IsNull()) return {};
  const std::string where = path.empty() ? "the document" : path;
  if (!mapping.IsMap()) return refuse(mapping, where + " must be a mapping of keys to values");
  std::set<std::string> seen;
  for (const auto& entry : mapping) {
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
    const std::string full = path.empty() ? key : path + "." + key;
    const auto known = std::find_if(keys.begin(), keys.end(), [&](const auto& one) { return one.first == key; });
    if (known == keys.end()) {
      std::vector<std::string_view> names;
      for (const auto& one : keys) names.push_back(one.first);
      return refuse(entry.first, "unknown key \"" + full + "\"; allowed in " + where + ": " + join(names));
    }
    if (!seen.insert(key).second) return refuse(entry.first, "key \"" + full + "\" is given twice");
    if (auto taken = known->second(entry.second, full); !taken) return taken;
  }
  return {};
}

Result<void> YamlReader::read_list(const YAML::Node& list, const std::string& key, std::size_t count_max,
                                   const std::function<Result<void>(const YAML::Node& item)>& take) const {
  if (list.IsNull()) return {};
  if (!list.IsSequence()) return refuse(list, key + " must be a list");
  if (list.size() > count_max) {
    return refuse(list, key + " has " + std::to_string(list.size()) + " items; at most " + std::to_string(count_max) +
                            " are allowed");
  }
  for (const auto& item : list)
    if (auto taken = take(item); !taken) return taken;
  return {};
}

YamlReader::Take YamlReader::text(std::string& target) const {
  return [this, &target](const YAML::Node& value, const std::string& key) -> Result<void> {
    if (!value.IsScalar() || value.Scalar().empty()) return refuse(value, key + " must be a text that is not empty");
    target = value.Scalar();
    return {};
  };
}

YamlReader::Take YamlReader::text(std::optional<std::string>& target) const {
  return [this, &target](const YAML::Node& value, const std::string& key) -> Result<void> {
    std::string read;
    if (auto taken = text(read)(value, key); !taken) return taken;
    target = std::move(read);
    return {};
  };
}

YamlReader::Take YamlReader::boolean(bool& target) const {
  return [this, &target](const YAML::Node& value, const std::string& key) -> Result<void> {
    const std::string word = value.IsScalar() ? value.Scalar() : "";
    if (word != "true" && word != "false") return refuse(value, key + ": " + quoted(value) + " is not true or false");
    target = word == "true";
    return {};
  };
}

YamlReader::Take YamlReader::number(std::int64_t& target, std::int64_t low, std::int64_t high) const {
  return [this, &target, low, high](const YAML::Node& value, const std::string& key) -> Result<void> {
    const auto read = value.IsScalar() ? to_number<std::int64_t>(value.Scalar()) : std::nullopt;
    if (!read || *read < low || *read > high) {
      return refuse(value, key + ": " + quoted(value) + " is not a whole number from " + std::to_string(low) + " to " +
                               std::to_string(high));
    }
    target = *read;
    return {};
  };
}

YamlReader::Take YamlReader::duration(std::chrono::milliseconds& target, std::chrono::milliseconds low,
                                      std::chrono::milliseconds high) const {
  return [this, &target, low, high](const YAML::Node& value, const std::string& key) -> Result<void> {
    const auto read = value.IsScalar() ? parse_duration(value.Scalar()) : std::nullopt;
    if (!read || *read < low || *read > high) {
      return refuse(value, key + ": " + quoted(value) + " is not a time from " + format_duration(low) + " to " +
                               format_duration(high) + ", written like 250ms, 10s or 5m");
    }
    target = std::chrono::duration_cast<std::chrono::milliseconds>(*read);
    return {};
  };
}

YamlReader::Take YamlReader::one_of(std::string& target, std::vector<std::string_view> allowed) const {
  return
      [this, &target, allowed = std::move(allowed)](const YAML::Node& value, const std::string& key) -> Result<void> {
        const std::string word = value.IsScalar() ? value.Scalar() : "";
        if (std::find(allowed.begin(), allowed.end(), word) == allowed.end()) {
          return refuse(value, key + ": " + quoted(value) + " is not allowed; allowed: " + join(allowed));
        }
        target = word;
        return {};
      };
}

YamlReader::Take YamlReader::pairs(std::vector<std::pair<std::string, std::string>>& target) const {
  return [this, &target](const YAML::Node& value, const std::string& key) -> Result<void> {
    if (value.IsNull()) return {};
    if (!value.IsMap()) return refuse(value, key + " must be a mapping of names to texts");
    if (value.size() > pairs_max) return refuse(value, key + ": at most " + std::to_string(pairs_max) + " are allowed");
    for (const auto& entry : value) {
      if (!entry.first.IsScalar() || !entry.second.IsScalar()) return refuse(entry.first, key + ": must be text");
      target.emplace_back(entry.first.Scalar(), entry.second.Scalar());
    }
    return {};
  };
}

}  // namespace arca::cli::agent
