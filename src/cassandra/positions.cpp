#include "cassandra/positions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>

#include "base/check.hpp"

namespace arca::cassandra {
namespace {

// Takes numbers and separators off the front of a text that anybody may have written.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool skip(char separator) noexcept {
    if (rest_.empty() || rest_.front() != separator) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::optional<std::uint32_t> number() noexcept {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc()) return std::nullopt;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }
  std::optional<std::int32_t> position() noexcept {
    const auto value = number();
    if (!value || *value >= static_cast<std::uint32_t>(positions_max)) return std::nullopt;
    return static_cast<std::int32_t>(*value);
  }

 private:
  std::string_view rest_;
};

}  // namespace

void Gaps::add(std::int32_t first, std::int32_t last) {
  ARCA_CHECK(first <= last && (ranges_.empty() || ranges_.back().last < first));
  if (!ranges_.empty() && ranges_.back().last + 1 == first) {
    ranges_.back().last = last;
  } else {
    ranges_.push_back({first, last});
  }
}

void Gaps::cut(std::int32_t from) {
  while (!ranges_.empty() && ranges_.back().first >= from) ranges_.pop_back();
  if (!ranges_.empty()) ranges_.back().last = std::min(ranges_.back().last, from - 1);
}

bool Gaps::contains(std::int32_t position) const noexcept {
  const auto behind = std::upper_bound(ranges_.begin(), ranges_.end(), position,
                                       [](std::int32_t at, const Range& range) { return at < range.first; });
  return behind != ranges_.begin() && position <= std::prev(behind)->last;
}

std::string to_text(const Gaps& gaps) {
  std::string text;
  for (const Gaps::Range& range : gaps.ranges()) {
    if (!text.empty()) text += ' ';
    text += range.first == range.last ? fmt::format("{}", range.first) : fmt::format("{}-{}", range.first, range.last);
  }
  return text;
}

Gaps gaps_of(std::string_view text) {
  Gaps gaps;
  std::int32_t behind = 0;
  for (Reader reader(text);;) {
    const auto first = reader.position();
    if (!first || *first < behind) return gaps;
    const auto last = reader.skip('-') ? reader.position() : first;
    if (!last || *last < *first) return gaps;
    gaps.add(*first, *last);
    behind = *last + 1;
    if (!reader.skip(' ')) return gaps;
  }
}

std::string to_text(const std::vector<UncountedChunk>& chunks) {
  std::string text;
  for (const UncountedChunk& chunk : chunks) {
    if (!text.empty()) text += ' ';
    text += fmt::format("{}:{}:{}", chunk.position, model::index_of(chunk.signal), chunk.item_count);
  }
  return text;
}

std::vector<UncountedChunk> uncounted_of(std::string_view text) {
  std::vector<UncountedChunk> chunks;
  for (Reader reader(text);;) {
    const auto position = reader.position();
    if (!position || (!chunks.empty() && *position <= chunks.back().position) || !reader.skip(':')) return chunks;
    const auto signal = reader.number();
    if (!signal || *signal >= model::signal_count || !reader.skip(':')) return chunks;
    const auto item_count = reader.number();
    if (!item_count) return chunks;
    chunks.push_back({*position, static_cast<model::Signal>(*signal), *item_count});
    if (!reader.skip(' ')) return chunks;
  }
}

}  // namespace arca::cassandra
