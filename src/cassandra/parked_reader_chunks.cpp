// What ParkedReader reads besides rows: the directory, chunks, the quarantine.
#include <algorithm>
#include <unordered_map>

#include "cassandra/parked_reader_state.hpp"
#include "cassandra/store_columns.hpp"

namespace arca::cassandra {

namespace {

constexpr std::uint32_t heads_page_size = 1000;
constexpr std::uint32_t quarantine_page_size = 8;  // rows with payloads
constexpr base::Duration clock_margin = std::chrono::minutes(5);

// Whether a segment may hold items of this time, as far as the directory says.
bool may_hold(const SegmentEntry& entry, const TimeRange& range) noexcept {
  const SegmentSummary& summary = entry.summary;
  if (range.since && summary.time_max && *summary.time_max < *range.since - clock_margin) return false;
  return !range.until || !summary.time_min || *summary.time_min <= *range.until;
}

}  // namespace

// A segment holds what was recorded before it was full, but nothing says how long before: what lay in a journal is
// parked late. So only its end leaves buckets out.
Result<void> ParkedReader::segments(const TimeRange& range, const TakeSegment& take) {
  std::vector<std::pair<base::WallTime, std::int16_t>> partitions;
  const auto listed = state_->read<std::vector<base::WallTime>>(
      static_cast<std::size_t>(shard_count),
      [&](std::size_t number, StoreRead<std::vector<base::WallTime>> done) {
        state_->store.list_buckets(static_cast<std::int16_t>(number), std::move(done));
      },
      [&](std::size_t number, std::vector<base::WallTime>& buckets) -> Result<Next> {
        for (const base::WallTime bucket : buckets) {
          const base::WallTime end = bucket + bucket_length + segment_lifetime + segment_margin + clock_margin;
          if (!range.since || end >= *range.since) partitions.emplace_back(bucket, static_cast<std::int16_t>(number));
        }
        return Next::go_on;
      });
  if (!listed) return listed;
  std::unordered_map<std::size_t, std::vector<std::byte>> pages;
  return state_->read<Page<SegmentEntry>>(
      partitions.size(),
      [&](std::size_t number, StoreRead<Page<SegmentEntry>> then) {
        const auto page = pages.find(number);
        state_->store.list_segments(partitions[number].first, partitions[number].second,
                                    page == pages.end() ? std::vector<std::byte>() : page->second, std::move(then));
      },
      [&](std::size_t number, Page<SegmentEntry>& page) -> Result<Next> {
        for (const SegmentEntry& entry : page.items) {
          if (may_hold(entry, range)) take(entry);
        }
        if (page.next.empty()) return Next::go_on;
        pages[number] = std::move(page.next);
        return Next::again;
      });
}

Result<std::vector<ChunkHead>> ParkedReader::chunk_heads(const std::vector<ChunkSpot>& from) {
  std::vector<ChunkHead> all;
  const auto done = state_->select(
      state_->heads, from.size(),
      [&](std::size_t number) {
        Values values;
        values.uuid(from[number].segment).integer(from[number].position);
        return values;
      },
      heads_page_size,
      [&](std::size_t number, const Row& row) {
        ChunkHead& head = all.emplace_back();
        head.segment = number;
        head.position = row.integer(0).value_or(0);
        head.id.writer.value = static_cast<std::uint64_t>(row.bigint(1).value_or(0));
        head.id.sequence = static_cast<std::uint64_t>(row.bigint(2).value_or(0));
        // Numbers that we do not know are those of damage, which unpack() tells of.
        const auto signal = static_cast<std::uint8_t>(row.tinyint(3).value_or(0));
        head.signal = signal < model::signal_count ? static_cast<model::Signal>(signal) : model::Signal::traces;
        head.sealed_at = base::WallTime(base::Duration(row.bigint(4).value_or(0)));
        head.raw_size = static_cast<std::uint32_t>(row.integer(5).value_or(0));
        return true;
      });
  if (!done) return failure(done.error());
  return all;
}

Result<void> ParkedReader::read_chunks(const std::vector<ChunkSpot>& spots, const TakeChunk& take) {
  return state_->read<std::vector<StoredChunk>>(
      spots.size(),
      [&](std::size_t number, StoreRead<std::vector<StoredChunk>> done) {
        state_->store.read_chunks(spots[number].segment, spots[number].position, 1, std::move(done));
      },
      [&](std::size_t number, std::vector<StoredChunk>& chunks) -> Result<Next> {
        if (chunks.empty() || chunks.front().position != spots[number].position) return Next::go_on;
        return take(chunks.front()) ? Next::go_on : Next::stop;
      });
}

Result<void> ParkedReader::read_quarantine(const TimeRange& range, const TakeRejected& take) {
  std::vector<std::pair<base::WallTime, std::int16_t>> parts;
  const auto listed = state_->select(
      state_->quarantine_parts, 1, [](std::size_t) { return Values(); }, 0,
      [&](std::size_t, const Row& row) {
        const auto hour = row.timestamp(0);
        // Rejected after it was recorded: an hour that ended before leaves nothing to find.
        if (hour && (!range.since || *hour + std::chrono::hours(1) + clock_margin >= *range.since)) {
          parts.emplace_back(*hour, row.smallint(1).value_or(0));
        }
        return true;
      });
  if (!listed) return listed;
  std::sort(parts.rbegin(), parts.rend());
  return state_->select(
      state_->quarantine, parts.size(),
      [&](std::size_t number) {
        Values values;
        values.timestamp(parts[number].first).smallint(parts[number].second);
        return values;
      },
      quarantine_page_size,
      [&](std::size_t, const Row& row) { return take(chunk_of(row, 0, 1), std::string(row.text(0))); });
}

}  // namespace arca::cassandra
