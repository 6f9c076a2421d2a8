// Follows log files by polling: new lines become records for a LogRecordSink, through rotation by rename,
// copytruncate, truncation, removal and reappearance. Used by the agent; tests drive step() with a fake clock
// over a temporary directory.
//
// The law: a position is remembered only after the sink has accepted everything before it. So a restart repeats at
// most what was accepted since the last save, and leaves nothing out.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "arca/result.hpp"
#include "cli/agent/line_splitter.hpp"
#include "cli/agent/observed_files.hpp"
#include "cli/agent/positions.hpp"
#include "os/clock.hpp"

namespace arca::cli::agent {

struct LogSource {
  std::string pattern;          // a path, or a shell pattern
  bool from_beginning = false;  // for files that are there at the very first start; later ones are always read whole
  std::shared_ptr<const std::regex> first_line;
  std::vector<std::pair<std::string, std::string>> attributes;  // put on each record
};

// Takes records. False: not now; the same records come again later.
class LogRecordSink {
 public:
  virtual ~LogRecordSink() = default;
  virtual bool accept(const std::string& path, const LogSource& source, const std::vector<SplitRecord>& records) = 0;
};

struct LogFollowerOptions {
  std::vector<LogSource> sources;
  std::size_t files_max = 128;
  std::size_t record_bytes_max = 64 * 1024;
  std::size_t step_bytes_max = 1 << 20;  // read from one file in one step, so that a big one does not starve the others
  base::Duration discover_interval = std::chrono::seconds(2);  // between two looks for files that match a pattern
  base::Duration partial_timeout = std::chrono::seconds(5);
  base::Duration rotated_timeout =
      std::chrono::seconds(10);  // how long a rotated file may stay quiet before it is closed
  base::Duration save_interval = std::chrono::seconds(1);
  base::Duration refused_backoff = std::chrono::seconds(1);
};

struct LogFollowerCounts {
  std::uint64_t records = 0, bytes = 0;  // accepted
  std::uint64_t rotations = 0, truncations = 0, refusals = 0;
  std::uint64_t files = 0;           // followed now
  std::uint64_t files_left_out = 0;  // above files_max, at the last look
};

// Not thread-safe: one thread steps it.
class LogFollower {
 public:
  LogFollower(LogFollowerOptions options, PositionStore& store, LogRecordSink& sink, os::Clock& clock);

  // Loads the remembered positions. A damaged file of positions is reported in `warnings`, not refused: the files
  // are then read from their beginning, which repeats records but loses none.
  Result<void> start();
  // Looks for files, reads what is new, hands it on, remembers positions when due. True: there is more to read.
  bool step();
  // Hands on unfinished lines too and remembers the positions.
  Result<void> finish();

  [[nodiscard]] const LogFollowerCounts& counts() const { return counts_; }
  // What went wrong since the last call, one sentence each; each trouble is told once until it goes away.
  std::vector<std::string> take_warnings() { return std::exchange(warnings_, {}); }

 private:
  struct Followed {
    Followed(std::string where, const LogSource& source_of, ObservedFile opened, SplitterOptions splitter_options)
        : path(std::move(where)), source(&source_of), file(std::move(opened)), splitter(std::move(splitter_options)) {}
    std::string path;
    const LogSource* source;
    ObservedFile file;
    LineSplitter splitter;
    std::string head;
    std::uint64_t settled_offset = 0;  // everything before it was accepted
    base::SteadyTime grown_at{};
    bool at_path = true;  // false: renamed or removed; read to its end, then closed
  };
  using Files = std::map<FileIdentity, Followed>;

  void discover();
  void meet(const std::string& path, const LogSource& source, std::set<FileIdentity>& present);
  void follow(const std::string& path, const LogSource& source, const FileFacts& facts);
  void finish_rotated(const LogSource& source, const std::set<FileIdentity>& present);
  std::uint64_t start_offset(const ObservedFile& file, const FileFacts& facts, const LogSource& source);
  bool poll(const FileIdentity& identity, Followed& one);
  void cut_back(Followed& one);
  bool hand_on(Followed& one, std::vector<SplitRecord>& records);
  void close_finished();
  Result<void> save();
  void warn_once(const std::string& key, const std::string& message);

  const LogFollowerOptions options_;
  PositionStore& store_;
  LogRecordSink& sink_;
  os::Clock& clock_;
  Files files_;
  std::map<FileIdentity, FilePosition> remembered_;  // of the last run, not yet met again
  bool first_look_ = true;
  bool first_run_ = false;
  bool dirty_ = false;
  base::SteadyTime discover_at_{}, save_at_{}, refused_until_{};
  LogFollowerCounts counts_;
  std::vector<std::string> warnings_;
  std::set<std::string> warned_;
};

}  // namespace arca::cli::agent
