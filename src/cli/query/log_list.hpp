// LogList: the newest log records that fulfil a filter, each once. Used by `arca query logs`.
#pragma once

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "cli/query/records.hpp"
#include "cli/query/screen.hpp"

namespace arca::cli::query {

// Not thread-safe.
class LogList final : public RecordVisitor {
 public:
  // Keeps the newest `limit`. The filter outlives it.
  LogList(const Filter& filter, std::size_t limit) : filter_(filter), limit_(limit) {}

  void on_log(const otlp::LogView& log) override;

  // The oldest that is kept, once there are as many as may be kept: what is older no longer matters.
  [[nodiscard]] std::optional<base::WallTime> oldest_wanted() const;
  // Gives what was kept, in the order of time, and forgets it, but not that it was met.
  std::vector<LogRecord> take_all();
  void set_limit(std::size_t limit) noexcept { limit_ = limit; }
  [[nodiscard]] std::uint64_t match_count() const noexcept { return match_count_; }

 private:
  static bool is_later(const LogRecord& a, const LogRecord& b) noexcept { return time_of(a.log) > time_of(b.log); }

  const Filter& filter_;
  std::size_t limit_;
  std::vector<LogRecord> kept_;  // a heap, its oldest first
  std::unordered_set<std::uint64_t> seen_;
  std::uint64_t match_count_ = 0;
};

// One line: time, severity, service, body, attributes, trace.
std::string log_line(const LogRecord& record, const Screen& screen, bool with_trace);
Colour severity_colour(std::uint32_t severity) noexcept;

}  // namespace arca::cli::query
