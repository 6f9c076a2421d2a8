#include "cli/agent/log_follower.hpp"

#include <algorithm>

namespace arca::cli::agent {
namespace {

constexpr std::size_t read_bytes = 64 * 1024;
constexpr std::size_t directory_names_max = 4096;  // searched for a file that was renamed while we were away

// The first bytes; false when they are not those that the position was remembered with.
bool has_same_head(const ObservedFile& file, const FilePosition& position) {
  std::string head;
  const auto got = file.read_at(0, position.head_bytes, head);
  return got && head.size() == position.head_bytes && hash_head(head) == position.head_hash;
}

}  // namespace

LogFollower::LogFollower(LogFollowerOptions options, PositionStore& store, LogRecordSink& sink, os::Clock& clock)
    : options_(std::move(options)), store_(store), sink_(sink), clock_(clock) {}

Result<void> LogFollower::start() {
  auto loaded = store_.load();
  if (!loaded) return failure(loaded.error());
  first_run_ = loaded->first_run;
  if (loaded->damaged_count > 0) {
    warnings_.push_back("positions of followed files: " + std::to_string(loaded->damaged_count) +
                        " damaged lines left out; those files are read again from their beginning");
  }
  for (FilePosition& one : loaded->positions) remembered_.emplace(one.identity, std::move(one));
  return {};
}

bool LogFollower::step() {
  const base::SteadyTime now = clock_.steady_now();
  if (now >= discover_at_) {
    discover();
    discover_at_ = now + options_.discover_interval;
  }
  bool more = false;
  if (now >= refused_until_) {
    for (auto& [identity, one] : files_) more = poll(identity, one) || more;
    close_finished();
  }
  counts_.files = files_.size();
  if (dirty_ && now >= save_at_) {
    if (const auto saved = save(); !saved) warn_once("save", saved.error().message());
    save_at_ = now + options_.save_interval;
  }
  return more && clock_.steady_now() >= refused_until_;
}

Result<void> LogFollower::finish() {
  for (auto& [identity, one] : files_) {
    std::vector<SplitRecord> records;
    one.splitter.flush(records);
    hand_on(one, records);
  }
  return save();
}

void LogFollower::discover() {
  std::set<FileIdentity> present;
  counts_.files_left_out = 0;
  for (const LogSource& source : options_.sources) {
    const auto paths = expand_pattern(source.pattern, options_.files_max * 4);
    for (const std::string& path : paths) meet(path, source, present);
    if (first_look_) finish_rotated(source, present);
  }
  for (auto& [identity, one] : files_) {
    const bool was_at_path = std::exchange(one.at_path, present.contains(identity));
    if (!was_at_path || one.at_path) continue;
    ++counts_.rotations;
    one.grown_at = clock_.steady_now();  // its writer may still hold it open: the wait begins now
  }
  // What was remembered and is nowhere now is forgotten with the next save.
  if (first_look_) remembered_.clear();
  first_look_ = false;
}

void LogFollower::meet(const std::string& path, const LogSource& source, std::set<FileIdentity>& present) {
  const auto facts = look_at(path);
  if (!facts) {
    // A missing file may appear later: that is no trouble.
    if (facts.error().code() != ErrorCode::not_found) warn_once(path, facts.error().message());
    return;
  }
  if (!facts->regular) {
    warn_once(path, path + ": not a regular file; left out");
    return;
  }
  const bool met_before = !present.insert(facts->identity).second;
  const auto known = files_.find(facts->identity);
  if (known != files_.end()) {
    if (!met_before) known->second.path = path;  // renamed within the pattern: the same file all the same
    return;
  }
  if (files_.size() >= options_.files_max) {
    ++counts_.files_left_out;
    warn_once("files_max", path + ": left out, and maybe others: files_max " + std::to_string(options_.files_max) +
                               " files are followed already");
    return;
  }
  follow(path, source, *facts);
}

void LogFollower::follow(const std::string& path, const LogSource& source, const FileFacts& facts) {
  auto file = ObservedFile::open(path);
  if (!file) {
    warn_once(path, file.error().message());
    return;
  }
  // Between the look and the opening the path may have become another file; that one is met at the next look.
  const auto opened = file->facts();
  if (!opened || opened->identity != facts.identity) return;
  warned_.erase(path);
  const std::uint64_t offset = start_offset(*file, *opened, source);
  const auto [entry, added] = files_.try_emplace(facts.identity, path, source, std::move(*file),
                                                 SplitterOptions{options_.record_bytes_max, source.first_line});
  Followed& one = entry->second;
  one.settled_offset = offset;
  one.splitter.restart(offset);
  one.grown_at = clock_.steady_now();
  dirty_ = true;
}

// Files that were renamed while nobody followed: what they held behind the remembered position is still read.
void LogFollower::finish_rotated(const LogSource& source, const std::set<FileIdentity>& present) {
  for (const auto& [identity, position] : remembered_) {
    const auto paths = expand_pattern(source.pattern, options_.files_max * 4);
    const bool belongs =
        std::find(paths.begin(), paths.end(), position.path) != paths.end() || source.pattern == position.path;
    if (!belongs || present.contains(identity) || files_.contains(identity)) continue;
    const std::size_t slash = position.path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : position.path.substr(0, slash + 1);
    const auto names = list_names(directory, directory_names_max);
    if (!names) continue;
    for (const std::string& name : *names) {
      const std::string path = slash == std::string::npos ? name : directory + name;
      const auto facts = look_at(path);
      if (!facts || !facts->regular || facts->identity != identity || facts->size <= position.offset) continue;
      const auto file = ObservedFile::open(path);
      if (file && has_same_head(*file, position)) follow(path, source, *facts);
      break;
    }
  }
}

std::uint64_t LogFollower::start_offset(const ObservedFile& file, const FileFacts& facts, const LogSource& source) {
  const auto remembered = remembered_.find(facts.identity);
  if (remembered != remembered_.end()) {
    const FilePosition& position = remembered->second;
    return position.offset <= facts.size && has_same_head(file, position) ? position.offset : 0;
  }
  // Only what was there before the agent ever ran may be passed over; everything later is read whole.
  return first_look_ && first_run_ && !source.from_beginning ? facts.size : 0;
}

bool LogFollower::poll(const FileIdentity& identity, Followed& one) {
  const auto facts = one.file.facts();
  if (!facts) {
    warn_once(one.path, one.path + ": " + facts.error().message());
    return false;
  }
  std::string bytes;
  std::vector<SplitRecord> records;
  // Cut back, or cut back and grown beyond the old position meanwhile: then its first bytes are other ones.
  if (facts->size < one.splitter.read_offset()) {
    cut_back(one);
  } else if (facts->size > one.splitter.read_offset() && !one.head.empty()) {
    if (one.file.read_at(0, one.head.size(), bytes) && bytes != one.head) cut_back(one);
  }
  std::size_t budget = options_.step_bytes_max;
  while (budget > 0 && one.splitter.read_offset() < facts->size) {
    bytes.clear();
    const auto got = one.file.read_at(one.splitter.read_offset(), std::min(budget, read_bytes), bytes);
    if (!got) warn_once(one.path, one.path + ": " + got.error().message());
    if (!got || *got == 0) break;
    budget -= *got;
    one.grown_at = clock_.steady_now();
    records.clear();
    one.splitter.feed(bytes, records);
    if (!hand_on(one, records)) return false;
  }
  if (one.head.size() < head_bytes_max && one.head.size() < one.settled_offset) {
    const auto wanted = std::min<std::uint64_t>(head_bytes_max, one.settled_offset);
    one.head.clear();
    if (!one.file.read_at(0, wanted, one.head)) one.head.clear();
    dirty_ = true;
  }
  const bool quiet = clock_.steady_now() - one.grown_at >= options_.partial_timeout;
  if (one.splitter.is_holding() && quiet) {
    records.clear();
    one.splitter.flush(records);
    if (!hand_on(one, records)) return false;
  }
  static_cast<void>(identity);
  return one.splitter.read_offset() < facts->size;
}

void LogFollower::cut_back(Followed& one) {
  ++counts_.truncations;
  std::vector<SplitRecord> records;
  one.splitter.flush(records);  // the unfinished line is gone from the file: what was read of it is all there is
  hand_on(one, records);
  one.splitter.restart(0);
  one.settled_offset = 0;
  one.head.clear();
  dirty_ = true;
}

bool LogFollower::hand_on(Followed& one, std::vector<SplitRecord>& records) {
  if (!records.empty()) {
    if (!sink_.accept(one.path, *one.source, records)) {
      ++counts_.refusals;
      refused_until_ = clock_.steady_now() + options_.refused_backoff;
      one.splitter.restart(one.settled_offset);  // read again, later
      return false;
    }
    counts_.records += records.size();
    for (const SplitRecord& record : records) counts_.bytes += record.text.size();
  }
  const std::uint64_t before = one.settled_offset;
  if (!records.empty()) one.settled_offset = records.back().end_offset;
  if (!one.splitter.is_holding()) one.settled_offset = one.splitter.read_offset();
  dirty_ = dirty_ || one.settled_offset != before;
  return true;
}

void LogFollower::close_finished() {
  for (auto entry = files_.begin(); entry != files_.end();) {
    const Followed& one = entry->second;
    const bool quiet = clock_.steady_now() - one.grown_at >= options_.rotated_timeout;
    if (one.at_path || !quiet || one.splitter.is_holding()) {
      ++entry;
      continue;
    }
    entry = files_.erase(entry);
    dirty_ = true;
  }
}

Result<void> LogFollower::save() {
  std::vector<FilePosition> positions;
  for (const auto& [identity, one] : files_) {
    positions.push_back({identity, one.settled_offset, one.head.size(), hash_head(one.head), one.path});
  }
  auto saved = store_.save(positions);
  if (saved) {
    dirty_ = false;
    warned_.erase("save");
  }
  return saved;
}

void LogFollower::warn_once(const std::string& key, const std::string& message) {
  if (warned_.size() < 1024 && warned_.insert(key).second) warnings_.push_back(message);
}

}  // namespace arca::cli::agent
