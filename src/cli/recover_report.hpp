// What `arca recover` prints: progress in a line, writers and Cassandra as text and as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "cli/recovery_parts.hpp"
#include "flow/recovery.hpp"

namespace arca::cli {

std::string progress_text(const flow::RecoveryProgress& progress);
// What has become of what was recovered: one sentence, and members of a JSON object.
std::string done_text(const flow::DoneItems& done, const std::string& from);
nlohmann::ordered_json done_as_json(const flow::DoneItems& done);
nlohmann::ordered_json writers_as_json(const flow::RecoveryStatus& status);
std::string writers_as_text(const flow::RecoveryStatus& status);
// Null, or empty, where no Cassandra is configured.
nlohmann::ordered_json cassandra_as_json(const RecoveryParts& parts);
std::string cassandra_as_text(const RecoveryParts& parts);

// The same for a scan of rows.
nlohmann::ordered_json scan_as_json(const RecoveryParts& parts);
std::string scan_as_text(const RecoveryParts& parts);

// Progress from one status to the next, for a recovery without end. Not thread-safe.
class RecoveryRate {
 public:
  explicit RecoveryRate(base::SteadyTime begin) : before_(begin) {}
  flow::RecoveryProgress progress_of(const flow::RecoveryStatus& status, base::SteadyTime now);

 private:
  base::SteadyTime before_;
  std::uint64_t bytes_before_ = 0;
  double bytes_per_second_ = 0;
};

}  // namespace arca::cli
