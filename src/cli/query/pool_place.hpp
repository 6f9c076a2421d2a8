// PoolPlace: what stands in the pools of a state directory, of live processes and dead ones, and has not been
// delivered. Used by TelemetryStore.
#pragma once

#include "cli/query/telemetry_place.hpp"
#include "os/file_system.hpp"

namespace arca::cli::query {

// Not thread-safe. The file system outlives it.
class PoolPlace final : public TelemetryPlace {
 public:
  PoolPlace(std::string state_directory, os::FileSystem& file_system)
      : state_directory_(std::move(state_directory)), file_system_(file_system) {}

  [[nodiscard]] Place place() const noexcept override { return Place::pool; }
  Result<void> read(const Wanted& wanted, Reader& reader) override;

 private:
  const std::string state_directory_;
  os::FileSystem& file_system_;
};

}  // namespace arca::cli::query
