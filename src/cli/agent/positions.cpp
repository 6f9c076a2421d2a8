#include "cli/agent/positions.hpp"

#include <span>

#include "cli/agent/text.hpp"

namespace arca::cli::agent {
namespace {

// The version is part of the line: another one is refused, not guessed at.
constexpr std::string_view header = "arca agent positions 1";
constexpr std::string_view any_header = "arca agent positions ";
constexpr std::size_t file_bytes_max = 4 << 20;

}  // namespace

std::uint64_t hash_head(std::string_view head) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : head) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

std::string format_positions(const std::vector<FilePosition>& positions) {
  std::string text = std::string(header) + "\n";
  for (const FilePosition& one : positions) {
    if (one.path.find('\n') != std::string::npos) continue;  // nobody names a log so; it would break the lines
    for (const std::uint64_t number :
         {one.identity.device, one.identity.inode, one.offset, one.head_bytes, one.head_hash}) {
      text += std::to_string(number) + " ";
    }
    text += one.path + "\n";
  }
  return text;
}

Result<std::vector<FilePosition>> parse_positions(std::string_view text, std::size_t& damaged_count) {
  damaged_count = 0;
  const std::string_view first = next_line(text).value_or("");
  if (first != header) {
    if (first.starts_with(any_header)) {
      return failure(ErrorCode::unsupported_version,
                     "positions of followed files: \"" + std::string(first) + "\"; this build reads version 1");
    }
    damaged_count = 1;
    return std::vector<FilePosition>();
  }
  std::vector<FilePosition> positions;
  while (const auto line = next_line(text)) {
    std::string_view rest = *line;
    const auto device = next_count(rest), inode = next_count(rest), offset = next_count(rest);
    const auto head_bytes = next_count(rest), head_hash = next_count(rest);
    if (!device || !inode || !offset || !head_bytes || !head_hash || *head_bytes > head_bytes_max || rest.size() < 2) {
      ++damaged_count;
      continue;
    }
    positions.push_back({{*device, *inode}, *offset, *head_bytes, *head_hash, std::string(rest.substr(1))});
  }
  return positions;
}

Result<PositionStore::Loaded> PositionStore::load() {
  Loaded loaded;
  const auto text = read_small_file(directory_ + "/positions", file_bytes_max);
  if (!text) {
    if (text.error().code() != ErrorCode::not_found) return failure(text.error());
    loaded.first_run = true;
    return loaded;
  }
  auto positions = parse_positions(*text, loaded.damaged_count);
  if (!positions) return failure(positions.error());
  loaded.positions = std::move(*positions);
  return loaded;
}

Result<void> PositionStore::save(const std::vector<FilePosition>& positions) {
  const std::string text = format_positions(positions);
  const std::string fresh = directory_ + "/positions.new";
  if (auto made = file_system_.make_directories(directory_); !made) return made;
  if (auto removed = file_system_.remove(fresh); !removed) return removed;
  auto file = file_system_.open(fresh, os::OpenMode::create_new);
  if (!file) return failure(file.error());
  const base::Bytes slice(reinterpret_cast<const std::byte*>(text.data()), text.size());
  if (auto written = (*file)->write_at(0, std::span(&slice, 1)); !written) return written;
  if (auto synced = (*file)->sync(); !synced) return synced;
  return file_system_.rename(fresh, directory_ + "/positions");
}

}  // namespace arca::cli::agent
