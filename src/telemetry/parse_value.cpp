// From text to the values of a Config: one function for each kind of variable.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>

#include "telemetry/variables.hpp"

namespace arca::telemetry {
namespace {

std::string_view trim(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const auto end = text.find(separator);
    const auto part = trim(text.substr(0, end));
    if (!part.empty()) parts.emplace_back(part);
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// Headers carry credentials, and a password is one: their values are never shown.
bool is_secret(const Variable& variable) noexcept {
  return variable.key.ends_with("headers") || variable.key.ends_with("password");
}

tl::unexpected<Error> refuse(const Variable& variable, std::string_view text) {
  const std::string shown = is_secret(variable) ? "a value that may hold credentials" : fmt::format("\"{}\"", text);
  const std::string why = variable.kind == Kind::choice ? fmt::format(" ({})", variable.help) : "";
  return failure(ErrorCode::invalid_config,
                 fmt::format("{} is not allowed; allowed is {}{}", shown, describe_allowed(variable), why));
}

struct Unit {
  std::string_view suffix;
  std::uint64_t factor;
};
constexpr Unit duration_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}, {"", 1}};
constexpr Unit size_units[] = {{"kib", 1ULL << 10U},
                               {"mib", 1ULL << 20U},
                               {"gib", 1ULL << 30U},
                               {"kb", 1'000},
                               {"mb", 1'000'000},
                               {"gb", 1'000'000'000},
                               {"b", 1},
                               {"", 1}};
constexpr Unit plain_units[] = {{"", 1}};

std::optional<std::uint64_t> parse_number(std::string_view text, std::span<const Unit> units) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  const auto rest = lower(trim(text.substr(static_cast<std::size_t>(end - text.data()))));
  for (const Unit& unit : units) {
    if (rest != unit.suffix) continue;
    if (value > UINT64_MAX / unit.factor) return std::nullopt;
    return value * unit.factor;
  }
  return std::nullopt;
}

// Standard variables carry plain milliseconds and plain counts only.
std::span<const Unit> units_of(const Variable& variable) {
  if (variable.kind == Kind::duration) return duration_units;
  if (variable.kind == Kind::size) return size_units;
  return plain_units;
}

bool in_range(const Variable& variable, std::uint64_t value) noexcept {
  return value >= variable.range.min && value <= variable.range.max;
}

bool is_choice(const Variable& variable, std::string_view value) {
  const auto allowed = split(variable.allowed, ',');
  return allowed.empty() || std::find(allowed.begin(), allowed.end(), value) != allowed.end();
}

// The choice that is meant, as the list spells it.
std::optional<std::string> choice_of(const Variable& variable, std::string_view text) {
  const auto meant = lower(text);
  for (auto& allowed : split(variable.allowed, ',')) {
    if (lower(allowed) == meant) return std::move(allowed);
  }
  return std::nullopt;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result.push_back(text[i]);
      continue;
    }
    unsigned code = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, code, 16);
    if (error != std::errc() || end != text.data() + i + 3) return std::nullopt;
    result.push_back(static_cast<char>(code));
    i += 2;
  }
  return result;
}

// One overload for each type of field: parses and stores.
class Assign {
 public:
  Assign(const Variable& variable, std::string_view text) : variable_(variable), text_(trim(text)) {}

  Result<void> operator()(std::optional<std::string>* field) const {
    if (variable_.kind == Kind::probability && !parse_probability(text_)) return refuse(variable_, text_);
    if (variable_.kind != Kind::choice) {
      *field = std::string(text_);
      return {};
    }
    auto value = choice_of(variable_, text_);
    if (!value) return refuse(variable_, text_);
    *field = std::move(value);
    return {};
  }
  Result<void> operator()(std::optional<bool>* field) const {
    const auto value = lower(text_);
    if (value != "true" && value != "false") return refuse(variable_, text_);
    *field = value == "true";
    return {};
  }
  Result<void> operator()(std::optional<std::uint64_t>* field) const {
    const auto value = parse_number(text_, units_of(variable_));
    if (!value || !in_range(variable_, *value)) return refuse(variable_, text_);
    *field = *value;
    return {};
  }
  Result<void> operator()(std::optional<double>* field) const {
    double value = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    const bool whole = error == std::errc() && end == text_.data() + text_.size();
    if (!whole || !(value > 0.0 && value <= 1.0)) return refuse(variable_, text_);
    *field = value;
    return {};
  }
  Result<void> operator()(std::optional<std::chrono::milliseconds>* field) const {
    const auto value = parse_number(text_, units_of(variable_));
    if (!value || !in_range(variable_, *value)) return refuse(variable_, text_);
    *field = std::chrono::milliseconds(*value);
    return {};
  }
  Result<void> operator()(std::optional<KeyValues>* field) const {
    auto pairs = parse_pairs(text_);
    if (!pairs) return refuse(variable_, text_);
    *field = std::move(*pairs);
    return {};
  }
  Result<void> operator()(std::optional<std::vector<std::string>>* field) const {
    auto values = split(lower(text_), ',');
    for (const auto& value : values) {
      if (!is_choice(variable_, value)) return refuse(variable_, value);
    }
    *field = std::move(values);
    return {};
  }

 private:
  const Variable& variable_;
  std::string_view text_;
};

// One overload for each type of field: checks what the application has put there itself.
class Validate {
 public:
  explicit Validate(const Variable& variable) : variable_(variable) {}

  Result<void> operator()(const std::optional<std::string>* field) const {
    if (!*field) return {};
    const bool allowed = variable_.kind == Kind::choice        ? is_choice(variable_, **field)
                         : variable_.kind == Kind::probability ? parse_probability(**field).has_value()
                                                               : true;
    if (allowed) return {};
    return refuse(variable_, **field);
  }
  Result<void> operator()(const std::optional<bool>*) const { return {}; }
  Result<void> operator()(const std::optional<std::uint64_t>* field) const {
    if (!*field || in_range(variable_, **field)) return {};
    return refuse(variable_, std::to_string(**field));
  }
  Result<void> operator()(const std::optional<double>* field) const {
    if (!*field || (**field > 0.0 && **field <= 1.0)) return {};
    return refuse(variable_, std::to_string(**field));
  }
  Result<void> operator()(const std::optional<std::chrono::milliseconds>* field) const {
    if (!*field) return {};
    const auto count = (*field)->count();
    if (count >= 0 && in_range(variable_, static_cast<std::uint64_t>(count))) return {};
    return refuse(variable_, std::to_string(count) + "ms");
  }
  Result<void> operator()(const std::optional<KeyValues>*) const { return {}; }
  Result<void> operator()(const std::optional<std::vector<std::string>>* field) const {
    if (!*field) return {};
    for (const auto& value : **field) {
      if (!is_choice(variable_, value)) return refuse(variable_, value);
    }
    return {};
  }

 private:
  const Variable& variable_;
};

std::string readable(const Variable& variable, std::uint64_t value) {
  if (variable.kind == Kind::duration) {
    const std::uint64_t days = value / 86'400'000;
    return days > 1 && value % 86'400'000 == 0 ? fmt::format("{}d", days) : fmt::format("{}ms", value);
  }
  if (variable.kind == Kind::size && value != 0 && value % (1ULL << 20U) == 0) {
    return fmt::format("{}MiB", value >> 20U);
  }
  return std::to_string(value);
}

}  // namespace

std::optional<double> parse_probability(std::string_view text) noexcept {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0.0 && value <= 1.0)) return std::nullopt;
  return value;
}

Result<void> assign(const Variable& variable, Config& config, std::string_view text) {
  return std::visit(Assign(variable, text), variable.field(config));
}

Result<void> validate(const Variable& variable, const Config& config) {
  Config copy = config;
  return std::visit(Validate(variable), variable.field(copy));
}

bool is_set(const Variable& variable, const Config& config) {
  Config copy = config;
  return std::visit([](auto* field) { return field->has_value(); }, variable.field(copy));
}

std::string describe_allowed(const Variable& variable) {
  switch (variable.kind) {
    case Kind::text:
      return "any text";
    case Kind::boolean:
      return "true or false";
    case Kind::ratio:
      return "a number above 0 and at most 1";
    case Kind::probability:
      return "a number from 0 to 1";
    case Kind::pairs:
      return "key=value,key=value with percent-encoding";
    case Kind::list:
      return "a list of " + variable.allowed;
    case Kind::choice:
      return "one of " + variable.allowed;
    case Kind::count:
    case Kind::size:
    case Kind::duration:
      break;
  }
  const char* unit = variable.kind == Kind::duration ? " (ms, s, m, h, d; without unit: ms)"
                     : variable.kind == Kind::size   ? " (B, KiB, MiB, GiB)"
                                                     : "";
  if (variable.range.max == UINT64_MAX)
    return fmt::format("at least {}{}", readable(variable, variable.range.min), unit);
  return fmt::format("{} to {}{}", readable(variable, variable.range.min), readable(variable, variable.range.max),
                     unit);
}

Result<KeyValues> parse_pairs(std::string_view text) {
  KeyValues pairs;
  for (const auto& part : split(text, ',')) {
    const auto separator = part.find('=');
    if (separator == std::string::npos) {
      return failure(ErrorCode::invalid_config, fmt::format("\"{}\" has no \"=\"", part));
    }
    auto key = percent_decoded(trim(std::string_view(part).substr(0, separator)));
    auto value = percent_decoded(trim(std::string_view(part).substr(separator + 1)));
    if (!key || !value || key->empty()) {
      return failure(ErrorCode::invalid_config, fmt::format("\"{}\" is not key=value", part));
    }
    pairs.emplace_back(std::move(*key), std::move(*value));
  }
  return pairs;
}

}  // namespace arca::telemetry
