#include "cli/sink/behaviour.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "cli/units.hpp"

namespace arca::cli::sink {

namespace {

constexpr std::array<std::string_view, mode_count> mode_names{"ok",      "refuse", "delay",  "stall",   "reset",
                                                              "close",   "hangup", "goaway", "abort",   "trickle",
                                                              "rubbish", "status", "grpc",   "partial", "big"};
constexpr std::array<std::string_view, 17> grpc_names{
    "ok",        "cancelled",      "unknown",           "invalid_argument",   "deadline_exceeded",
    "not_found", "already_exists", "permission_denied", "resource_exhausted", "failed_precondition",
    "aborted",   "out_of_range",   "unimplemented",     "internal",           "unavailable",
    "data_loss", "unauthenticated"};

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return text;
}

// Words are separated by blanks; double quotes keep blanks inside a word.
std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false;
  bool inside = false;
  for (const char c : text) {
    if (c == '"') {
      quoted = !quoted;
      inside = true;
    } else if (!quoted && std::isspace(static_cast<unsigned char>(c)) != 0) {
      if (inside) words.push_back(std::exchange(word, {}));
      inside = false;
    } else {
      word.push_back(c);
      inside = true;
    }
  }
  if (inside) words.push_back(word);
  return words;
}

tl::unexpected<Error> bad(std::string_view key, std::string_view value, std::string_view allowed) {
  return failure(ErrorCode::invalid_config,
                 std::string(key) + ": '" + std::string(value) + "' is not allowed; allowed: " + std::string(allowed));
}

Result<void> set_key(Behaviour& behaviour, std::string_view key, std::string_view value) {
  if (key == "ratio") {
    const auto ratio = parse_number<double>(value);
    if (!ratio || *ratio < 0 || *ratio > 1) return bad(key, value, "0 to 1");
    behaviour.ratio = *ratio;
  } else if (key == "count") {
    behaviour.count = parse_number<std::uint64_t>(value);
    if (!behaviour.count) return bad(key, value, "a whole number");
  } else if (key == "signal") {
    for (const model::Signal signal : model::all_signals) {
      if (model::to_string(signal) == value) behaviour.signal = signal;
    }
    if (!behaviour.signal) return bad(key, value, "traces, metrics, logs");
  } else if (key == "retry-after") {
    behaviour.retry_after = std::string(value);
  } else if (key == "retry-info") {
    behaviour.rubbish_retry_info = value == "rubbish";
    behaviour.retry_info = parse_duration(value);
    if (!behaviour.retry_info && !behaviour.rubbish_retry_info) return bad(key, value, "a time such as 2s, or rubbish");
  } else if (key == "delay") {
    const auto delay = parse_duration(value);
    if (!delay) return bad(key, value, "a time such as 200ms");
    behaviour.delay = *delay;
  } else if (key == "message") {
    behaviour.message = std::string(value);
  } else {
    return bad("behaviour", key, "ratio, count, signal, delay, retry-after, retry-info, message");
  }
  return {};
}

Result<void> set_argument(Behaviour& behaviour, std::string_view text) {
  switch (behaviour.mode) {
    case Mode::delay: {
      const auto delay = parse_duration(text);
      if (!delay) return bad("delay", text, "a time such as 200ms");
      behaviour.delay = *delay;
      return {};
    }
    case Mode::status: {
      const auto code = parse_number<int>(text);
      if (!code || *code < 200 || *code > 599) return bad("status", text, "200 to 599");
      behaviour.code = *code;
      return {};
    }
    case Mode::grpc: {
      const auto code = parse_grpc_code(text);
      if (!code) return bad("grpc", text, "a code name or a number");
      behaviour.code = *code;
      return {};
    }
    case Mode::partial: {
      const auto amount = parse_number<std::uint64_t>(text);
      if (!amount) return bad("partial", text, "a whole number of items");
      behaviour.amount = *amount;
      return {};
    }
    case Mode::big: {
      const auto amount = parse_bytes(text);
      if (!amount || *amount > (1ULL << 30U)) return bad("big", text, "a size up to 1GiB");
      behaviour.amount = *amount;
      return {};
    }
    default:
      return bad(to_string(behaviour.mode), text, "no argument");
  }
}

bool needs_argument(Mode mode) noexcept {
  return mode == Mode::delay || mode == Mode::status || mode == Mode::grpc || mode == Mode::partial ||
         mode == Mode::big;
}

}  // namespace

std::string_view to_string(Mode mode) noexcept { return mode_names[static_cast<std::size_t>(mode)]; }

std::optional<int> parse_grpc_code(std::string_view text) {
  if (const auto number = parse_number<int>(text)) {
    return *number >= 0 && *number <= 16 ? number : std::nullopt;
  }
  const auto* const found = std::find(grpc_names.begin(), grpc_names.end(), lower(text));
  if (found == grpc_names.end()) return std::nullopt;
  return static_cast<int>(found - grpc_names.begin());
}

int http_status_of(int grpc_code) noexcept {
  switch (grpc_code) {
    case 0:
      return 200;
    case 3:
    case 9:
    case 11:
      return 400;
    case 4:
      return 504;
    case 5:
      return 404;
    case 6:
    case 10:
      return 409;
    case 7:
      return 403;
    case 8:
      return 429;
    case 12:
      return 501;
    case 14:
      return 503;
    case 16:
      return 401;
    default:
      return 500;
  }
}

Result<Behaviour> parse_behaviour(std::string_view text) {
  const std::vector<std::string> words = split_words(text);
  if (words.empty()) return bad("behaviour", text, "a word such as ok, refuse, stall, status 503");
  Behaviour behaviour;
  bool has_argument = false;
  const auto* const mode = std::find(mode_names.begin(), mode_names.end(), words.front());
  if (mode != mode_names.end()) {
    behaviour.mode = static_cast<Mode>(mode - mode_names.begin());
  } else if (const auto code = parse_grpc_code(words.front())) {
    behaviour.mode = Mode::grpc;
    behaviour.code = *code;
    has_argument = true;
  } else {
    return bad("behaviour", words.front(),
               "ok, refuse, delay, stall, reset, close, hangup, goaway, abort, trickle, rubbish, "
               "status, grpc, partial, big, or the name of a gRPC code");
  }
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const std::size_t equals = word.find('=');
    Result<void> done;
    if (equals != std::string_view::npos) {
      done = set_key(behaviour, word.substr(0, equals), word.substr(equals + 1));
    } else if (has_argument && behaviour.mode == Mode::partial) {
      behaviour.message += (behaviour.message.empty() ? "" : " ") + std::string(word);
    } else {
      done = set_argument(behaviour, word);
      has_argument = true;
    }
    if (!done) return failure(done.error());
  }
  if (needs_argument(behaviour.mode) && !has_argument) return bad(to_string(behaviour.mode), "", "an argument");
  return behaviour;
}

Result<Schedule> parse_schedule(std::string_view text) {
  Schedule schedule;
  while (!trim(text).empty()) {
    const std::size_t end = std::min(text.find(';'), text.size());
    const std::string_view step = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (step.empty()) continue;
    if (schedule.period) return bad("schedule", step, "nothing after repeat");
    const std::size_t blank = std::min(step.find(' '), step.size());
    const auto from = parse_duration(step.substr(0, blank));
    if (!from) return bad("schedule", step, "steps such as '10s refuse'");
    if (schedule.steps.empty() ? *from != base::Duration::zero() : *from <= schedule.steps.back().from) {
      return bad("schedule", step, "times that begin at 0s and rise");
    }
    const std::string_view what = trim(step.substr(blank));
    if (what == "repeat") {
      if (schedule.steps.empty()) return bad("schedule", step, "repeat after a step");
      schedule.period = *from;
      continue;
    }
    const auto behaviour = parse_behaviour(what);
    if (!behaviour) return failure(behaviour.error().with_context("schedule"));
    schedule.steps.push_back({*from, *behaviour});
  }
  return schedule;
}

void Behaviours::set(const Behaviour& behaviour) {
  for (const model::Signal signal : model::all_signals) {
    if (!behaviour.signal || *behaviour.signal == signal) current_[model::index_of(signal)] = behaviour;
  }
}

Behaviour Behaviours::next(model::Signal signal) {
  Behaviour& current = current_[model::index_of(signal)];
  if (current.mode == Mode::ok) return {};
  if (current.ratio < 1 && std::uniform_real_distribution<double>(0, 1)(random_) >= current.ratio) return {};
  Behaviour chosen = current;
  if (current.count) {
    // A count without a signal is shared by all signals: it runs down in each of them.
    if (*current.count == 0) return {};
    const std::uint64_t left = *current.count - 1;
    const bool shared = !current.signal;
    for (Behaviour& each : current_) {
      if (&each == &current || (shared && each.count && each.mode == current.mode)) each.count = left;
    }
  }
  return chosen;
}

bool Behaviours::refusing() const noexcept {
  return std::all_of(current_.begin(), current_.end(), [](const Behaviour& b) { return b.mode == Mode::refuse; });
}

}  // namespace arca::cli::sink
