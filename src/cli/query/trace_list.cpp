#include "cli/query/trace_list.hpp"

#include <algorithm>

namespace arca::cli::query {

std::uint32_t TraceList::number_of(std::string_view name) {
  const auto [at, is_new] = numbers_.try_emplace(std::string(name), static_cast<std::uint32_t>(names_.size()));
  if (is_new) names_.emplace_back(name);
  return at->second;
}

void TraceList::on_span(const otlp::SpanView& span) {
  TraceId id{};
  if (span.trace_id.size() != id.size()) return;
  std::copy(span.trace_id.begin(), span.trace_id.end(), id.begin());
  auto at = traces_.find(id);
  if (at == traces_.end()) {
    if (traces_.size() == traces_max) {
      overflowed_ = true;
      return;
    }
    at = traces_.try_emplace(id).first;
    at->second.id = id;
  }
  TraceSummary& trace = at->second;
  trace.places.insert(place());
  if (span.span_id.size() == 8) {
    const std::uint64_t key = base::load<std::uint64_t>(span.span_id.data()) ^ base::load<std::uint64_t>(id.data()) ^
                              base::load<std::uint64_t>(id.data() + 8);
    if (seen_.insert({&key, 1}) == 0 && !seen_.overflowed()) return;
  }
  if (!trace.is_changed) changed_.push_back(id);
  trace.is_changed = true;
  ++trace.span_count;
  if (span.status_code == otlp::span_status_error) ++trace.error_count;
  trace.start = std::min(trace.start, span.start_time);
  trace.end = std::max(trace.end, span.end_time);
  const std::uint32_t service = number_of(owner().service);
  if (std::find(trace.services.begin(), trace.services.end(), service) == trace.services.end()) {
    trace.services.push_back(service);
  }
  // The root gives the trace its name; as long as it is not there, the earliest span.
  const bool is_root = !has_parent(span);
  if (is_root > trace.has_root || (is_root == trace.has_root && span.start_time < trace.root_start)) {
    trace.has_root = is_root;
    trace.root_start = span.start_time;
    trace.root_service = service;
    trace.root_operation = number_of(span.name);
  }
  if (!trace.is_match && filter_->takes(owner(), span)) {
    trace.is_match = true;
    ++match_count_;
  }
}

const TraceSummary* TraceList::find(const TraceId& id) const {
  const auto at = traces_.find(id);
  return at == traces_.end() ? nullptr : &at->second;
}

std::vector<TraceId> TraceList::take_changed() {
  for (const TraceId& id : changed_) traces_[id].is_changed = false;
  return std::exchange(changed_, {});
}

bool TraceList::is_complete(const TraceId& id) const {
  const TraceSummary* const trace = find(id);
  return trace != nullptr && trace->is_complete;
}

void TraceList::set_complete(const TraceId& id) {
  const auto at = traces_.find(id);
  if (at != traces_.end()) at->second.is_complete = true;
}

std::vector<const TraceSummary*> TraceList::newest(std::size_t limit) const {
  std::vector<const TraceSummary*> found;
  for (const auto& [id, trace] : traces_) {
    if (trace.is_match) found.push_back(&trace);
  }
  limit = std::min(limit, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(limit), found.end(),
                    [](const TraceSummary* a, const TraceSummary* b) {
                      return a->start != b->start ? a->start > b->start : a->id < b->id;
                    });
  found.resize(limit);
  return found;
}

}  // namespace arca::cli::query
