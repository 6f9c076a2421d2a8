// StateView: everything that a state directory says, of live writers, dead ones and those that are finished, put
// together as the conservation law. Read-only; takes no lock. Used by `arca status`.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arca/result.hpp"
#include "arca/status.hpp"
#include "base/time.hpp"
#include "model/chunk.hpp"
#include "model/signal.hpp"
#include "os/file_system.hpp"

namespace arca::cli {

using Law = std::array<SignalStatus, model::signal_count>;

bool law_holds(const Law& law) noexcept;
std::uint64_t lost_items(const Law& law) noexcept;

struct WriterView {
  model::WriterId id;
  bool live = false;
  std::int64_t process_id = 0;  // 0: the pool is gone, so nobody knows
  Law law{};
  std::uint64_t pool_bytes = 0;     // committed, without a verdict
  std::uint64_t journal_bytes = 0;  // chunks that are not settled
  std::uint64_t journal_file_bytes = 0;
  std::optional<base::WallTime> oldest;
  std::string process_status;      // what the process said of itself last (JSON), may be empty
  std::vector<std::string> notes;  // damage, and what is missing

  [[nodiscard]] std::uint64_t backlog_bytes() const noexcept { return pool_bytes + journal_bytes; }
};

struct QuarantineView {
  std::uint64_t chunk_count = 0;
  std::uint64_t item_count = 0;
  std::uint64_t bytes = 0;
};

struct StateView {
  std::vector<WriterView> writers;
  Law finished{};  // from the ledger
  std::uint64_t finished_writer_count = 0;
  QuarantineView quarantine;
  std::vector<std::string> notes;

  [[nodiscard]] Law sum() const;
  [[nodiscard]] bool holds() const;  // for each writer, and in sum
  [[nodiscard]] std::uint64_t backlog_bytes() const noexcept;
  [[nodiscard]] std::optional<base::WallTime> oldest() const;
};

// Looks once. A live writer moves on while it is looked at; so a law that does not seem to hold is
// worth a second look (see view_state_calmly).
Result<StateView> view_state(os::FileSystem& file_system, const std::string& state_directory);
// Looks again, a few times and a moment apart, as long as the law does not hold while somebody lives.
Result<StateView> view_state_calmly(os::FileSystem& file_system, const std::string& state_directory);

}  // namespace arca::cli
