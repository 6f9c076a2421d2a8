// Hands the records of followed files to the OpenTelemetry logger. Used by the agent between LogFollower and the
// front door.
#pragma once

#include <opentelemetry/logs/logger.h>

#include <cstdint>
#include <functional>

#include "cli/agent/log_follower.hpp"
#include "cli/agent/log_line.hpp"

namespace arca::cli::agent {

// Not thread-safe: one follower calls it.
class LogEmitter final : public LogRecordSink {
 public:
  // `refused_count` tells how many log records the front door has refused so far. When it grows while records
  // are handed over, they are not taken as accepted: the file still has them, so they can come again.
  LogEmitter(opentelemetry::nostd::shared_ptr<opentelemetry::logs::Logger> logger, os::Clock& clock,
             std::function<std::uint64_t()> refused_count)
      : logger_(std::move(logger)), clock_(clock), refused_count_(std::move(refused_count)) {}

  bool accept(const std::string& path, const LogSource& source, const std::vector<SplitRecord>& records) override;

 private:
  void emit(const LogLine& line, const std::string& path, const LogSource& source, base::WallTime now);

  const opentelemetry::nostd::shared_ptr<opentelemetry::logs::Logger> logger_;
  os::Clock& clock_;
  const std::function<std::uint64_t()> refused_count_;
};

}  // namespace arca::cli::agent
