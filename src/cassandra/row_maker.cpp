#include "cassandra/row_maker.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <set>
#include <utility>

#include "base/varint.hpp"
#include "cassandra/request_facts.hpp"
#include "otlp/fields.hpp"
#include "otlp/reader.hpp"
#include "otlp/utf8.hpp"
#include "otlp/wire_reader.hpp"

namespace arca::cassandra {
namespace {

using otlp::Field;
using otlp::for_each_field;
using otlp::length_field_size;
using otlp::WireType;

constexpr std::size_t trace_id_size = 16;
constexpr std::size_t span_id_size = 8;
constexpr std::size_t key_characters_max = 1024;  // of texts that are part of a key, which has 64 KiB at most
constexpr std::uint64_t status_error = 2;

// What a batch's rows point into.
struct BatchMemory {
  std::vector<std::byte> bytes;
  std::deque<std::string> texts;  // those that had to be mended
};

std::byte* write_hex(std::byte* to, base::Bytes id) noexcept {
  static constexpr std::string_view digits = "0123456789abcdef";
  for (const std::byte byte : id) {
    *to++ = static_cast<std::byte>(digits[std::to_integer<unsigned>(byte) >> 4U]);
    *to++ = static_cast<std::byte>(digits[std::to_integer<unsigned>(byte) & 15U]);
  }
  return to;
}

std::byte* write_bytes(std::byte* to, base::Bytes bytes) noexcept {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

std::byte* write_head(std::byte* to, std::uint8_t tag, std::size_t body) noexcept {
  *to++ = static_cast<std::byte>(tag);
  return base::write_varint(to, body);
}

bool is_zero(base::Bytes id) noexcept {
  return std::all_of(id.begin(), id.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

std::uint64_t big_endian(const std::byte* from) noexcept { return __builtin_bswap64(base::load<std::uint64_t>(from)); }

// As a column can hold it, and short enough for a key.
std::string key_text(std::string_view text) {
  std::string whole = otlp::is_utf8(text) ? std::string(text) : otlp::replace_ill_formed(text);
  whole.resize(otlp::prefix_size(whole, key_characters_max));
  return whole;
}

}  // namespace

// --- reading -------------------------------------------------------------------------------------

Result<void> RowMaker::read(base::Bytes request) {
  fields_.clear();
  groups_.clear();
  spans_.clear();
  services_.clear();
  at_ = 0;
  skipped_item_count_ = 0;
  const bool is_whole = for_each_field(
      request, [this](const Field& field) { return !field.is(1, WireType::length) || read_resource(field.bytes); });
  if (!is_whole) {
    spans_.clear();
    return failure(ErrorCode::corrupt, "the chunk is no OTLP request");
  }
  sort_spans();
  return {};
}

bool RowMaker::read_resource(base::Bytes resource_spans) {
  Group group;
  group.resource_begin = fields_.size();
  std::string_view service;
  std::size_t service_offset = 0;
  const bool is_whole = for_each_field(resource_spans, [&](const Field& field) {
    if (field.number == 2) return true;
    if (field.is(1, WireType::length)) {
      service = service_of(field.bytes);
      const auto* text = reinterpret_cast<const std::byte*>(service.data());
      if (!service.empty())
        service_offset = fields_.size() - group.resource_begin + static_cast<std::size_t>(text - field.whole.data());
    }
    fields_.insert(fields_.end(), field.whole.begin(), field.whole.end());
    return true;
  });
  if (!is_whole) return false;
  group.resource_size = fields_.size() - group.resource_begin;
  group.has_service = !service.empty() && otlp::is_utf8(service);
  group.service_offset = service_offset;
  group.service = service_index(service.empty() ? unknown_service : service);
  return for_each_field(resource_spans, [&](const Field& field) {
    return !field.is(2, WireType::length) || read_scope(field.bytes, group);
  });
}

bool RowMaker::read_scope(base::Bytes scope_spans, Group group) {
  group.scope_begin = fields_.size();
  const bool is_whole = for_each_field(scope_spans, [&](const Field& field) {
    if (field.number != 2) fields_.insert(fields_.end(), field.whole.begin(), field.whole.end());
    return true;
  });
  if (!is_whole) return false;
  group.scope_size = fields_.size() - group.scope_begin;
  const auto index = static_cast<std::uint32_t>(groups_.size());
  groups_.push_back(group);
  return for_each_field(
      scope_spans, [&](const Field& field) { return !field.is(2, WireType::length) || read_span(field.bytes, index); });
}

bool RowMaker::read_span(base::Bytes message, std::uint32_t group) {
  Span span;
  span.message = message;
  span.group = group;
  const bool is_whole = for_each_field(message, [&span](const Field& field) {
    switch (field.number) {
      case 1:
        if (field.type == WireType::length) span.trace_id = field.bytes;
        return true;
      case 2:
        if (field.type == WireType::length) span.span_id = field.bytes;
        return true;
      case 4:
        if (field.type == WireType::length) span.is_root = is_zero(field.bytes);
        return true;
      case 5:
        if (field.type == WireType::length) span.name = field.text();
        return true;
      case 7:
        if (field.type == WireType::fixed64) span.start = field.value;
        return true;
      case 8:
        if (field.type == WireType::fixed64) span.end = field.value;
        return true;
      case 15:
        return field.type != WireType::length || for_each_field(field.bytes, [&span](const Field& part) {
                 if (part.is(3, WireType::varint)) span.is_error = part.value == status_error;
                 return true;
               });
      default:
        return true;
    }
  });
  if (!is_whole) return false;
  const bool is_named = span.trace_id.size() == trace_id_size && span.span_id.size() == span_id_size &&
                        !is_zero(span.trace_id) && !is_zero(span.span_id);
  if (!is_named || data_size(span) > row_bytes_max) {  // cannot be looked up, or is larger than a row may be
    ++skipped_item_count_;
    return true;
  }
  span.trace_high = big_endian(span.trace_id.data());
  span.trace_low = big_endian(span.trace_id.data() + 8);
  spans_.push_back(span);
  return true;
}

std::uint32_t RowMaker::service_index(std::string_view name) {
  std::string text = key_text(name);
  for (std::size_t i = 0; i < services_.size(); ++i)
    if (services_[i] == text) return static_cast<std::uint32_t>(i);
  services_.push_back(std::move(text));
  return static_cast<std::uint32_t>(services_.size() - 1);
}

// By trace; within it as they stand in the chunk. Sorting places instead of spans moves less.
void RowMaker::sort_spans() {
  struct Place {
    std::uint64_t high;
    std::uint64_t low;
    std::uint32_t index;
    auto operator<=>(const Place&) const = default;
  };
  std::vector<Place> places;
  places.reserve(spans_.size());
  for (std::size_t i = 0; i < spans_.size(); ++i)
    places.push_back({spans_[i].trace_high, spans_[i].trace_low, static_cast<std::uint32_t>(i)});
  std::sort(places.begin(), places.end());
  sorting_.clear();
  sorting_.reserve(spans_.size());
  for (const Place& place : places) sorting_.push_back(spans_[place.index]);
  spans_.swap(sorting_);
}

// --- rows ----------------------------------------------------------------------------------------

std::size_t RowMaker::data_size(const Span& span) const noexcept {
  const Group& group = groups_[span.group];
  const std::size_t scope = length_field_size(group.scope_size + length_field_size(span.message.size()));
  return length_field_size(group.resource_size + scope);
}

std::byte* RowMaker::write_data(std::byte* to, const Span& span, SpanRow& row) const noexcept {
  const Group& group = groups_[span.group];
  const base::Bytes fields(fields_);
  const std::byte* const begin = to;
  const std::size_t scope_body = group.scope_size + length_field_size(span.message.size());
  to = write_head(to, otlp::tags::request_resource, group.resource_size + length_field_size(scope_body));
  const std::byte* const resource = to;
  to = write_bytes(to, fields.subspan(group.resource_begin, group.resource_size));
  to = write_head(to, otlp::tags::children, scope_body);
  to = write_bytes(to, fields.subspan(group.scope_begin, group.scope_size));
  to = write_head(to, otlp::tags::record, span.message.size());
  const std::byte* const message = to;
  to = write_bytes(to, span.message);
  row.trace_data = {begin, to};
  if (group.has_service)
    row.service = base::as_text({resource + group.service_offset, services_[group.service].size()});
  if (!span.name.empty()) {
    const auto offset = reinterpret_cast<const std::byte*>(span.name.data()) - span.message.data();
    row.operation = base::as_text({message + offset, span.name.size()});
  }
  return to;
}

std::optional<TraceRows> RowMaker::next() {
  if (at_ == spans_.size()) return std::nullopt;
  const Span& first = spans_[at_];
  std::size_t end = at_;
  std::size_t data_bytes = 0;
  while (end < spans_.size() && end - at_ < batch_rows_max && spans_[end].trace_high == first.trace_high &&
         spans_[end].trace_low == first.trace_low) {
    const std::size_t size = data_size(spans_[end]);
    if (end > at_ && data_bytes + size > batch_bytes_max) break;
    data_bytes += size;
    ++end;
  }
  auto memory = std::make_shared<BatchMemory>();
  memory->bytes.resize(data_bytes + (end - at_) * span_id_size * 2);
  TraceRows batch;
  batch.trace_id = otlp::to_hex(first.trace_id);
  batch.rows.reserve(end - at_);
  std::byte* to = memory->bytes.data();
  for (; at_ < end; ++at_) {
    const Span& span = spans_[at_];
    SpanRow& row = batch.rows.emplace_back();
    std::byte* const id = to;
    to = write_hex(to, span.span_id);
    row.span_id = base::as_text({id, to});
    row.start = wall_time(span.start);
    to = write_data(to, span, row);
    if (row.service.empty()) row.service = memory->texts.emplace_back(services_[groups_[span.group].service]);
    if (!otlp::is_utf8(row.operation))
      row.operation = memory->texts.emplace_back(otlp::replace_ill_formed(row.operation));
  }
  batch.owner = std::move(memory);
  return batch;
}

// --- the index -----------------------------------------------------------------------------------

std::vector<TraceEntries> RowMaker::entries() const {
  struct Sum {
    const Span* first = nullptr;
    const Span* root = nullptr;
    std::uint64_t end = 0;
    std::uint32_t span_count = 0;
    std::uint32_t error_count = 0;
  };
  std::vector<TraceEntries> all;
  std::map<std::pair<std::uint32_t, base::WallTime>, std::size_t> open;  // partitions with room
  std::vector<Sum> sums(services_.size());
  const auto put = [&](std::uint32_t service, const Sum& sum) {
    const base::WallTime start = wall_time(sum.first->start);
    const auto [place, is_new] = open.try_emplace({service, bucket_of(start)}, all.size());
    if (!is_new && all[place->second].entries.size() == batch_rows_max) place->second = all.size();
    if (place->second == all.size()) all.push_back({services_[service], bucket_of(start), {}});
    const Span& named = sum.root != nullptr ? *sum.root : *sum.first;
    all[place->second].entries.push_back({otlp::to_hex(sum.first->trace_id), start, wall_time(sum.end) - start,
                                          key_text(named.name), sum.span_count, sum.error_count});
  };
  for (std::size_t i = 0; i < spans_.size(); ++i) {
    const Span& span = spans_[i];
    Sum& sum = sums[groups_[span.group].service];
    if (sum.first == nullptr || span.start < sum.first->start) sum.first = &span;
    if (span.is_root && sum.root == nullptr) sum.root = &span;
    sum.end = std::max({sum.end, span.end, span.start});
    ++sum.span_count;
    sum.error_count += span.is_error ? 1 : 0;
    const bool is_last = i + 1 == spans_.size() || spans_[i + 1].trace_high != span.trace_high ||
                         spans_[i + 1].trace_low != span.trace_low;
    if (!is_last) continue;
    for (std::size_t service = 0; service < sums.size(); ++service)
      if (sums[service].first != nullptr) put(static_cast<std::uint32_t>(service), std::exchange(sums[service], {}));
  }
  return all;
}

std::vector<std::pair<std::string, std::vector<std::string>>> RowMaker::names() const {
  std::vector<std::set<std::string_view>> seen(services_.size());
  for (const Span& span : spans_)
    if (!span.name.empty()) seen[groups_[span.group].service].insert(span.name);
  std::vector<std::pair<std::string, std::vector<std::string>>> all;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    std::vector<std::string> operations;
    for (const std::string_view name : seen[i]) operations.push_back(key_text(name));
    if (!operations.empty()) all.emplace_back(services_[i], std::move(operations));
  }
  return all;
}

Result<ChunkRows> rows_of(base::Bytes request) {
  RowMaker maker;
  if (auto read = maker.read(request); !read) return failure(read.error());
  ChunkRows all;
  while (auto batch = maker.next()) all.traces.push_back(std::move(*batch));
  all.entries = maker.entries();
  all.names = maker.names();
  all.skipped_item_count = maker.skipped_item_count();
  return all;
}

}  // namespace arca::cassandra
