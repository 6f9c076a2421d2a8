// What `arca status` prints, from a StateView. Used by status_command.cpp.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "cli/console.hpp"
#include "cli/state_view.hpp"

namespace arca::cli {

struct StatusReport {
  std::string state_directory;
  StateView state;
  base::WallTime seen_at;
  std::optional<double> growth_bytes_per_second;  // of the backlog, between two looks

  // How long the tiers of the live writers can take what comes; nothing while the backlog does not grow, or nobody
  // has said how large the tiers are.
  [[nodiscard]] std::optional<base::Duration> until_full() const;
};

nlohmann::ordered_json status_as_json(const StatusReport& report);
std::string status_as_text(const StatusReport& report, const Console& console);

}  // namespace arca::cli
