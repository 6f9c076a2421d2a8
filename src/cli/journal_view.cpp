#include "cli/journal_view.hpp"

#include <fmt/format.h>

namespace arca::cli {

namespace {

using journal::RecordHeader;
using journal::RecordType;
using journal::SegmentItem;
using journal::SegmentReader;

// Takes what one segment says into the view.
class SegmentWalk {
 public:
  SegmentWalk(JournalView& view, std::string name, SegmentReader& reader)
      : view_(view), name_(std::move(name)), number_(journal::parse_segment_name(name_).value_or(0)), reader_(reader) {}

  Result<void> run(bool is_last) {
    if (reader_.header_state() != journal::HeaderState::good) note("its header is damaged or of another version");
    const auto totals = reader_.read_totals();
    if (!totals) return failure(totals.error());
    if (*totals) view_.totals = **totals;
    const auto index = reader_.read_index();
    if (!index) return failure(index.error());
    if (*index) {
      for (const SegmentItem& item : **index) apply(item);
      return {};
    }
    reader_.seek(journal::first_record_offset);
    for (;;) {
      const auto item = reader_.next();
      if (!item) return failure(item.error());
      if (item->kind == SegmentItem::Kind::record) apply(*item);
      if (item->kind == SegmentItem::Kind::gap) note(fmt::format("{} damaged bytes at {}", item->size, item->offset));
      if (item->kind == SegmentItem::Kind::end) {
        // At the end of the last segment that is a record under way, or a torn one: nothing was promised.
        if (item->size != 0 && !item->is_zeros && !is_last) {
          note(fmt::format("{} bytes at its end are no record", item->size));
        }
        return {};
      }
    }
  }

 private:
  void apply(const SegmentItem& item) {
    const RecordHeader& header = item.header;
    model::SignalTotals& totals = view_.totals[model::index_of(header.signal)];
    if (header.type == RecordType::chunk) {
      const KeptChunk kept{header.signal, header.item_count, header.payload_size, header.sealed_at, number_, item};
      if (view_.unsettled.emplace(header.id, kept).second && !header.is_copy) totals.journaled += header.item_count;
    }
    if (header.type == RecordType::settle) {
      view_.unsettled.erase(header.id);
      if (!header.is_copy) journal::count_settlement(header, totals);
    }
  }
  void note(const std::string& what) { view_.damage.push_back(name_ + ": " + what); }

  JournalView& view_;
  std::string name_;
  std::uint64_t number_;
  SegmentReader& reader_;
};

}  // namespace

std::uint64_t JournalView::unsettled_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [id, chunk] : unsettled) sum += chunk.bytes;
  return sum;
}

std::array<std::uint64_t, model::signal_count> JournalView::unsettled_items() const {
  std::array<std::uint64_t, model::signal_count> sums{};
  for (const auto& [id, chunk] : unsettled) sums[model::index_of(chunk.signal)] += chunk.item_count;
  return sums;
}

Result<std::vector<std::string>> list_segments(os::FileSystem& file_system, const std::string& directory) {
  auto names = file_system.list(directory);
  if (!names) return failure(names.error());
  std::erase_if(*names, [](const std::string& name) { return !journal::parse_segment_name(name).has_value(); });
  return names;  // sorted: the numbers are padded
}

Result<JournalView> view_journal(os::FileSystem& file_system, const std::string& directory) {
  JournalView view;
  const auto names = list_segments(file_system, directory);
  if (!names) {
    if (names.error().code() == ErrorCode::not_found) return view;
    return failure(names.error());
  }
  for (const std::string& name : *names) {
    auto reader = SegmentReader::open(file_system, directory + "/" + name);
    if (!reader) {
      // A segment that its writer has removed meanwhile is no damage.
      if (reader.error().code() != ErrorCode::not_found) view.damage.push_back(name + ": " + reader.error().message());
      continue;
    }
    ++view.segment_count;
    view.size += reader->file_size();
    if (const auto done = SegmentWalk(view, name, *reader).run(name == names->back()); !done) {
      view.damage.push_back(name + ": " + done.error().message());
    }
  }
  return view;
}

}  // namespace arca::cli
