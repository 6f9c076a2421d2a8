#include "cli/query/records.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "model/record_grammar.hpp"
#include "otlp/wire_reader.hpp"

namespace arca::cli::query {

namespace {

// A message without its children, which are field 2 of ResourceX and ScopeX alike.
std::vector<std::byte> without_children(base::Bytes message) {
  std::vector<std::byte> fields;
  otlp::for_each_field(message, [&](const otlp::Field& field) {
    if (!field.is(2, otlp::WireType::length)) fields.insert(fields.end(), field.whole.begin(), field.whole.end());
    return true;
  });
  return fields;
}

void put_record(std::vector<std::byte>& to, base::Bytes message) {
  std::byte head[11] = {model::record_tag};
  std::byte* const end = base::write_varint(head + 1, message.size());
  to.insert(to.end(), std::begin(head), end);
  to.insert(to.end(), message.begin(), message.end());
}

}  // namespace

std::uint64_t hash_of(base::Bytes bytes) noexcept { return std::hash<std::string_view>()(base::as_text(bytes)); }

std::vector<std::byte> make_request(const std::vector<const Record*>& records) {
  std::vector<std::byte> request;
  for (std::size_t first = 0; first < records.size();) {
    const Context& context = *records[first]->context;
    std::vector<std::byte> run;
    std::size_t next = first;
    for (; next < records.size() && records[next]->context.get() == &context; ++next) {
      put_record(run, records[next]->message);
    }
    const auto framed =
        model::frame_request({{1, run, static_cast<std::uint32_t>(next - first)}}, [&](model::ContextId) {
          return std::optional(model::ContextView{context.resource_fields, context.scope_fields});
        });
    for (const base::Bytes slice : framed->slices) request.insert(request.end(), slice.begin(), slice.end());
    first = next;
  }
  return request;
}

void RecordVisitor::on_resource(const otlp::ResourceView& resource) {
  resource_message_ = resource.message;
  context_.reset();
  owner_.resource = resource.attributes;
  owner_.service.clear();
  for (const otlp::KeyValueView& each : resource.attributes.all()) {
    const auto* const text = std::get_if<std::string_view>(&each.value);
    if (each.key == "service.name" && text != nullptr) owner_.service = *text;
  }
  if (owner_.service.empty()) owner_.service = "unknown_service";  // as the semantic conventions name it
}

void RecordVisitor::on_scope(const otlp::ScopeView& scope) {
  scope_message_ = scope.message;
  scope_name_ = scope.name;
  context_.reset();
}

Result<void> RecordVisitor::visit(const Piece& piece) {
  place_ = piece.place;
  return otlp::visit_request(piece.signal, piece.request, *this);
}

Record RecordVisitor::keep(base::Bytes message) {
  if (!context_) {
    context_ = std::make_shared<const Context>(
        Context{owner_.service, scope_name_, without_children(resource_message_), without_children(scope_message_)});
  }
  return {context_, {message.begin(), message.end()}};
}

TraceRecords::TraceRecords(const std::vector<TraceId>& traces, std::size_t limit) : limit_(limit) {
  for (const TraceId& id : traces) traces_[id];
}

TraceRecords::Trace* TraceRecords::find(base::Bytes id) {
  TraceId key{};
  if (id.size() != key.size()) return nullptr;
  std::copy(id.begin(), id.end(), key.begin());
  const auto at = traces_.find(key);
  return at == traces_.end() ? nullptr : &at->second;
}

void TraceRecords::on_span(const otlp::SpanView& span) {
  Trace* const trace = find(span.trace_id);
  if (trace == nullptr) return;
  // A span without a proper id is told by its content.
  const bool has_id = span.span_id.size() == 8;
  const std::uint64_t key =
      (has_id ? base::load<std::uint64_t>(span.span_id.data()) : hash_of(span.message)) ^ hash_of(span.trace_id);
  const auto [at, is_new] = span_at_.try_emplace(key, trace->spans.size());
  if (!is_new) return trace->spans[at->second].places.insert(place());
  if (trace->spans.size() == limit_) {
    trace->cut = true;
    span_at_.erase(at);
    return;
  }
  SpanRecord& kept = trace->spans.emplace_back();
  kept.record = keep(span.message);
  kept.span = *otlp::read_span(kept.record.message);
  kept.places.insert(place());
}

void TraceRecords::on_log(const otlp::LogView& log) {
  Trace* const trace = find(log.trace_id);
  if (trace == nullptr) return;
  const auto [at, is_new] = log_at_.try_emplace(hash_of(log.message), trace->logs.size());
  if (!is_new) return trace->logs[at->second].places.insert(place());
  if (trace->logs.size() == limit_) {
    trace->cut = true;
    log_at_.erase(at);
    return;
  }
  LogRecord& kept = trace->logs.emplace_back();
  kept.record = keep(log.message);
  kept.log = *otlp::read_log(kept.record.message);
  kept.places.insert(place());
}

}  // namespace arca::cli::query
