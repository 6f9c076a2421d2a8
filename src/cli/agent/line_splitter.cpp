#include "cli/agent/line_splitter.hpp"

#include <algorithm>
#include <utility>

namespace arca::cli::agent {
namespace {
constexpr std::size_t matched_bytes_max = 1024;  // of a line; std::regex recurses once per character
}

void LineSplitter::restart(std::uint64_t offset) {
  record_.clear();
  line_.clear();
  record_end_ = read_offset_ = offset;
}

void LineSplitter::feed(std::string_view bytes, std::vector<SplitRecord>& records) {
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const std::size_t room = options_.record_bytes_max - line_.size();
    const std::size_t taken = std::min({newline == std::string_view::npos ? bytes.size() : newline, room});
    line_.append(bytes.substr(0, taken));
    read_offset_ += taken;
    bytes.remove_prefix(taken);
    if (!bytes.empty() && bytes[0] == '\n') {
      bytes.remove_prefix(1);
      ++read_offset_;
      end_line(records);
    } else if (line_.size() >= options_.record_bytes_max) {
      flush(records);  // in pieces: cutting the rest off would lose it
    }
  }
}

void LineSplitter::flush(std::vector<SplitRecord>& records) {
  if (!record_.empty()) emit(std::exchange(record_, {}), record_end_, records);
  if (!line_.empty()) emit(std::exchange(line_, {}), read_offset_, records);
}

void LineSplitter::end_line(std::vector<SplitRecord>& records) {
  if (!line_.empty() && line_.back() == '\r') line_.pop_back();
  std::string line = std::exchange(line_, {});
  if (!options_.first_line) {
    emit(std::move(line), read_offset_, records);
    return;
  }
  const std::string head = line.substr(0, matched_bytes_max);
  const bool begins = std::regex_search(head, *options_.first_line, std::regex_constants::match_continuous);
  const bool full = record_.size() + 1 + line.size() > options_.record_bytes_max;
  if (!record_.empty() && (begins || full)) emit(std::exchange(record_, {}), record_end_, records);
  if (!record_.empty()) record_ += '\n';
  record_ += line;
  record_end_ = read_offset_;
}

void LineSplitter::emit(std::string text, std::uint64_t end_offset, std::vector<SplitRecord>& records) const {
  // An empty line carries nothing, but the position moves over it with the next record.
  if (!text.empty()) records.push_back({std::move(text), end_offset});
}

}  // namespace arca::cli::agent
