#include "cli/sink/tally.hpp"

#include <nlohmann/json.hpp>

namespace arca::cli::sink {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t ranges_in_report_max = 100;
constexpr std::size_t ranges_in_answer_max = 100'000;
constexpr std::size_t chunks_max = 20'000'000;  // beyond it duplicates of chunks are no longer told

Json ranges_as_json(const std::vector<Range>& ranges) {
  Json list = Json::array();
  for (const auto& [first, last] : ranges) list.push_back({first, last});
  return list;
}

std::uint64_t width_of(const std::vector<Range>& ranges) {
  std::uint64_t sum = 0;
  for (const auto& [first, last] : ranges) sum += static_cast<std::uint64_t>(last - first) + 1;
  return sum;
}

}  // namespace

Tally::Tally(const TrackOptions& options) : options_(options), span_ids_(options.count_max) {}

std::optional<std::uint64_t> Tally::take(model::Signal signal, base::Bytes request, std::size_t wire_size,
                                         std::string_view chunk_id) {
  signal_ = signal;
  ids_of_request_.clear();
  fresh_ = again_ = 0;
  last_stream_ = nullptr;
  sequences_of_request_.clear();
  const WalkOptions walk{options_.ids && !options_.sequences, options_.sequences};
  const auto items = walk_request(signal, request, walk, &Tally::visit, this);
  if (!items) return std::nullopt;
  see_chunk(chunk_id);
  for (const SeenItem& item : sequences_of_request_) see_sequence(item);
  if (!ids_of_request_.empty()) {
    const std::uint64_t fresh_ids = span_ids_.insert(ids_of_request_);
    fresh_ += fresh_ids;
    again_ += ids_of_request_.size() - fresh_ids;
  }

  SignalCounts& count = counts(signal);
  ++count.request_count;
  count.wire_bytes += wire_size;
  count.payload_bytes += request.size();
  count.item_count += *items;
  count.unique_count += fresh_;
  count.duplicate_count += again_;
  count.unnamed_count += *items - fresh_ - again_;
  return items;
}

void Tally::see_chunk(std::string_view chunk_id) {
  chunk_number_ = 0;
  if (chunk_id.empty()) {
    ++chunk_unnamed_count_;
    return;
  }
  const auto found = chunks_.find(std::string(chunk_id));
  if (found != chunks_.end()) {
    ++chunk_duplicate_count_;
    chunk_number_ = found->second;
  } else if (chunks_.size() < chunks_max) {
    chunk_number_ = static_cast<std::uint32_t>(chunks_.size() + 1);
    chunks_.emplace(chunk_id, chunk_number_);
  }
}

void Tally::visit(void* self, const SeenItem& item) {
  auto& tally = *static_cast<Tally*>(self);
  if (tally.options_.sequences && item.sequence) {
    tally.sequences_of_request_.push_back(item);
  } else if (tally.options_.ids && item.span_id.size() == 8) {
    tally.ids_of_request_.push_back(base::load<std::uint64_t>(item.span_id.data()));
  }
}

void Tally::see_sequence(const SeenItem& item) {
  const std::string number = item.stream_is_number ? std::to_string(item.stream_number) : std::string();
  const std::string_view name = item.stream_is_number ? std::string_view(number) : item.stream;
  if (last_stream_ == nullptr || item.stream_is_number || last_stream_name_ != name) {
    Streams& streams = streams_[model::index_of(signal_)];
    auto found = streams.find(name);
    if (found == streams.end()) found = streams.try_emplace(std::string(name)).first;
    last_stream_ = &found->second;
    last_stream_name_ = found->first;
  }
  if (last_stream_->seen.insert(*item.sequence)) {
    ++fresh_;
    last_stream_->first.note(*item.sequence, chunk_number_);
  } else {
    ++again_;
    if (last_stream_->first.chunk_of(*item.sequence) != chunk_number_) ++last_stream_->renamed_count;
  }
}

Json Tally::report() const {
  Json report;
  Json& signals = report["signals"];
  for (const model::Signal signal : model::all_signals) {
    const SignalCounts& count = of(signal);
    signals[std::string(model::to_string(signal))] = {{"requests", count.request_count},
                                                      {"wire_bytes", count.wire_bytes},
                                                      {"payload_bytes", count.payload_bytes},
                                                      {"items", count.item_count},
                                                      {"unique", count.unique_count},
                                                      {"duplicates", count.duplicate_count},
                                                      {"unnamed", count.unnamed_count},
                                                      {"told_rejected", count.told_rejected_count},
                                                      {"turned_away_requests", count.turned_away_request_count},
                                                      {"malformed_requests", count.malformed_request_count}};
  }
  report["chunks"] = {
      {"unique", chunks_.size()}, {"duplicates", chunk_duplicate_count_}, {"unnamed", chunk_unnamed_count_}};
  report["connections"] = connection_count_;
  report["track_overflowed"] = span_ids_.overflowed();
  Json& faults = report["faults"];
  for (std::size_t mode = 1; mode < mode_count; ++mode) {
    faults[std::string(to_string(static_cast<Mode>(mode)))] = faults_[mode];
  }
  report["streams"] = Json::array();
  for (const model::Signal signal : model::all_signals) {
    for (const auto& [name, known] : streams_[model::index_of(signal)]) {
      const SequenceSet& set = known.seen;
      report["streams"].push_back({{"signal", model::to_string(signal)},
                                   {"stream", name},
                                   {"count", set.size()},
                                   {"duplicates", set.duplicate_count()},
                                   {"renamed", known.renamed_count},
                                   {"ranges", ranges_as_json(set.ranges(ranges_in_report_max))}});
    }
  }
  return report;
}

Json Tally::stream_report(model::Signal signal, std::string_view stream, std::int64_t from, std::int64_t to) const {
  const Streams& streams = streams_[model::index_of(signal)];
  const auto found = streams.find(stream);
  static const Stream nothing;
  const Stream& known = found == streams.end() ? nothing : found->second;
  const SequenceSet& set = known.seen;
  Json answer = {{"signal", model::to_string(signal)},
                 {"stream", stream},
                 {"count", set.size()},
                 {"duplicates", set.duplicate_count()},
                 {"renamed", known.renamed_count},
                 {"duplicate_sequences", set.duplicates()},
                 {"ranges", ranges_as_json(set.ranges(ranges_in_answer_max))}};
  if (from <= to) {
    const std::vector<Range> gaps = set.missing(from, to, ranges_in_answer_max);
    const std::uint64_t expected = static_cast<std::uint64_t>(to - from) + 1;
    const std::uint64_t inside = expected - width_of(gaps);
    answer["missing_count"] = width_of(gaps);
    answer["missing"] = ranges_as_json(gaps);
    answer["spurious_count"] = set.size() - inside;  // seen, but not between from and to
  }
  return answer;
}

void Tally::clear() { *this = Tally(options_); }

}  // namespace arca::cli::sink
