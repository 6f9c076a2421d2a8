// JournalPlace: the chunks in the journals of a state directory that are not settled; QuarantinePlace: those that the
// Collector has rejected for good, which lie in journals of their own. Used by TelemetryStore.
#pragma once

#include "cli/query/telemetry_place.hpp"
#include "os/file_system.hpp"

namespace arca::cli::query {

// Not thread-safe. The file system outlives it.
class JournalPlace final : public TelemetryPlace {
 public:
  JournalPlace(std::string state_directory, os::FileSystem& file_system)
      : state_directory_(std::move(state_directory)), file_system_(file_system) {}

  [[nodiscard]] Place place() const noexcept override { return Place::journal; }
  Result<void> read(const Wanted& wanted, Reader& reader) override;

 private:
  const std::string state_directory_;
  os::FileSystem& file_system_;
};

// Not thread-safe. The file system outlives it.
class QuarantinePlace final : public TelemetryPlace {
 public:
  QuarantinePlace(std::string state_directory, os::FileSystem& file_system)
      : state_directory_(std::move(state_directory)), file_system_(file_system) {}

  [[nodiscard]] Place place() const noexcept override { return Place::quarantine; }
  Result<void> read(const Wanted& wanted, Reader& reader) override;

 private:
  const std::string state_directory_;
  os::FileSystem& file_system_;
};

}  // namespace arca::cli::query
