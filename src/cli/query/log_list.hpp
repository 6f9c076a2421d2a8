// LogList: the newest log records that fulfil a filter, each once. Used by `arca query logs`.
#pragma once

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "cli/query/newest.hpp"
#include "cli/query/records.hpp"
#include "cli/query/screen.hpp"

namespace arca::cli::query {

// Not thread-safe.
class LogList final : public RecordVisitor {
 public:
  // Keeps the newest `limit`. The filter outlives it.
  LogList(const Filter& filter, std::size_t limit) : filter_(filter), kept_(limit) {}

  void on_log(const otlp::LogView& log) override;

  // The oldest that is kept, once there are as many as may be kept: what is older no longer matters.
  [[nodiscard]] std::optional<base::WallTime> oldest_wanted() const;
  // Gives what was kept, in the order of time, and forgets it, but not that it was met.
  std::vector<LogRecord> take_all() { return kept_.take_all(); }
  // How many were left out since the last call: they were too many, or too large.
  std::uint64_t take_left_out() noexcept { return kept_.take_left_out(); }
  void set_limit(std::size_t limit) noexcept { kept_.set_count_max(limit); }
  [[nodiscard]] std::uint64_t match_count() const noexcept { return match_count_; }

 private:
  const Filter& filter_;
  Newest<LogRecord> kept_;
  std::unordered_set<std::uint64_t> seen_;
  std::uint64_t match_count_ = 0;
};

// One line: time, severity, service, body, attributes, trace.
std::string log_line(const LogRecord& record, const Screen& screen, bool with_trace);
Colour severity_colour(std::uint32_t severity) noexcept;

}  // namespace arca::cli::query
