#include "os/log.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <mutex>

#include "os/clock.hpp"
#include "os/fork.hpp"

namespace arca::os {
namespace {

constexpr std::uint64_t burst_per_place = 5;
constexpr base::Duration refill_interval = std::chrono::seconds(12);  // five lines a minute afterwards

std::atomic<int> level_max{static_cast<int>(LogLevel::info)};

// The budget of one place in the code. Places share a slot when they hash alike: then they share the budget.
struct Budget {
  std::uint64_t tokens = burst_per_place;
  std::uint64_t left_out = 0;
  base::SteadyTime refilled_at{};
};

struct Sink {
  std::mutex mutex;
  LogCallback callback;
  std::array<Budget, 256> budgets;
};

// A child forked while another thread logs must not inherit a held mutex.
class SinkOwner final : public ForkSubscriber {
 public:
  SinkOwner() { subscribe_to_fork(*this); }
  void prepare_fork() noexcept override { sink.mutex.lock(); }
  void after_fork_in_parent() noexcept override { sink.mutex.unlock(); }
  void after_fork_in_child() noexcept override { sink.mutex.unlock(); }
  Sink sink;
};

Sink& sink() {
  static SinkOwner* const owner = new SinkOwner;
  return owner->sink;
}

// Made before anybody can log while holding a lock that a fork waits for.
const Sink& sink_at_start = sink();

// A place that passes on what others say (its format is "{}") has a budget for each different thing it says.
std::size_t slot_of(const LogPlace& place, std::string_view said) noexcept {
  std::size_t hash = static_cast<unsigned>(place.line) * std::size_t{2654435761U};
  for (const char* at = place.file; *at != '\0'; ++at) hash = hash * 31U + static_cast<unsigned char>(*at);
  for (const char c : said) hash = hash * 31U + static_cast<unsigned char>(c);
  return hash % 256U;
}

bool take_token(Budget& budget, base::SteadyTime now) noexcept {
  const auto earned = static_cast<std::uint64_t>((now - budget.refilled_at) / refill_interval);
  if (earned > 0) {
    budget.tokens = std::min(burst_per_place, budget.tokens + earned);
    budget.refilled_at = now;
  }
  if (budget.tokens == 0) {
    ++budget.left_out;
    return false;
  }
  --budget.tokens;
  return true;
}

// A line may repeat what others said: it must not move a cursor, nor begin another line. U+0080 to U+009F are 0xC2 and
// one byte more.
void replace_control_characters(std::string& line) noexcept {
  unsigned char before = 0;
  for (char& c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) c = '?';
    if (before == 0xC2 && byte >= 0x80 && byte < 0xA0) *(&c - 1) = c = '?';
    before = byte;
  }
}

void write_to_stderr(std::string_view line) noexcept {
  while (!line.empty()) {
    const ssize_t count = ::write(STDERR_FILENO, line.data(), line.size());
    if (count <= 0) return;  // nobody listens
    line.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace

std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::error:
      return "error";
    case LogLevel::warn:
      return "warning";
    case LogLevel::info:
      return "info";
    case LogLevel::debug:
      return "debug";
  }
  return "unknown";
}

void set_log_callback(LogCallback callback) {
  Sink& target = sink();
  static_cast<void>(sink_at_start);
  const std::scoped_lock lock(target.mutex);
  target.callback = std::move(callback);
}

void set_log_level(LogLevel most_verbose) noexcept {
  level_max.store(static_cast<int>(most_verbose), std::memory_order_relaxed);
}

bool is_logged(LogLevel level) noexcept { return static_cast<int>(level) <= level_max.load(std::memory_order_relaxed); }

void detail::log_line(LogLevel level, const LogPlace& place, fmt::string_view format,
                      fmt::format_args arguments) noexcept {
  try {
    Sink& target = sink();
    const std::scoped_lock lock(target.mutex);
    std::string line;
    const bool passes_on = std::string_view(format.data(), format.size()) == "{}";
    if (passes_on) line = fmt::vformat(format, arguments);
    Budget& budget = target.budgets[slot_of(place, line)];
    if (!take_token(budget, SystemClock().steady_now())) return;
    if (!passes_on) line = fmt::vformat(format, arguments);
    if (budget.left_out > 0) line += fmt::format(" (and {} more like this)", std::exchange(budget.left_out, 0));
    replace_control_characters(line);
    if (target.callback) {
      target.callback(level, line);
    } else {
      write_to_stderr(fmt::format("arca: {}: {}\n", to_string(level), line));
    }
  } catch (...) {  // no memory for the line: there is nobody left to tell
  }
}

}  // namespace arca::os
