// Turns the bytes of one followed file into log records: at newlines, or, in multi-line mode, before each line
// that matches the pattern of a first line. Pure; used by FollowedFile. It knows for each record where in the
// file it ends, so that the position which is remembered never lies inside a record.
#pragma once

#include <cstdint>
#include <memory>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace arca::cli::agent {

struct SplitRecord {
  std::string text;          // without its newline
  std::uint64_t end_offset;  // where the next record begins
};

struct SplitterOptions {
  std::size_t record_bytes_max = 64 * 1024;      // a longer one is handed on in pieces
  std::shared_ptr<const std::regex> first_line;  // null: every line is a record
};

// Not thread-safe.
class LineSplitter {
 public:
  explicit LineSplitter(SplitterOptions options) : options_(std::move(options)) {}

  // Forgets what is held; the next byte stands at `offset`.
  void restart(std::uint64_t offset);
  // Takes bytes that follow the last ones; adds the records that they complete. Empty lines are left out.
  void feed(std::string_view bytes, std::vector<SplitRecord>& records);
  // What is held becomes a record: its writer has stopped in the middle of a line, or for good.
  void flush(std::vector<SplitRecord>& records);

  [[nodiscard]] bool is_holding() const { return !record_.empty() || !line_.empty(); }
  [[nodiscard]] std::uint64_t read_offset() const { return read_offset_; }

 private:
  void end_line(std::vector<SplitRecord>& records);
  void emit(std::string text, std::uint64_t end_offset, std::vector<SplitRecord>& records) const;

  const SplitterOptions options_;
  std::string record_;  // complete lines of the open multi-line record
  std::uint64_t record_end_ = 0;
  std::string line_;               // the open line
  std::uint64_t read_offset_ = 0;  // behind the last byte taken
};

}  // namespace arca::cli::agent
