#include "otlp/span_writer.hpp"

#include <utility>

#include "otlp/fields.hpp"
#include "otlp/record_head.hpp"

namespace arca::otlp {

namespace {

// Two bytes hold the length of every event and link up to 16 KiB; longer ones are moved by three bytes.
constexpr std::size_t child_length_size = 2;

// All fields of fixed or bounded size at the front of a span: ids, kind, time, flags, with their tags.
constexpr std::size_t span_front_size = 18 + 10 + 10 + 2 + 9 + 6;
// ... and behind it: end time, three dropped counts, a status code.
constexpr std::size_t span_back_size = 9 + 3 * 6 + 4;

bool is_zero(const SpanId& id) noexcept { return base::load<std::uint64_t>(std::as_bytes(std::span(id)).data()) == 0; }

}  // namespace

static_assert(tags::span::attribute == 0x4A);

void SpanWriter::begin(const SpanStart& start, const SpanLimits& limits) noexcept {
  limits_ = limits;
  name_offset_ = status_offset_ = child_body_ = 0;
  event_count_ = link_count_ = dropped_event_count_ = dropped_link_count_ = 0;
  status_ = SpanStatus::unset;
  attributes_.reset(limits.attributes);
  out_.reset(record_headroom);
  if (!out_.reserve(span_front_size)) return;
  std::byte* at = put_id(out_.cursor(), tags::span::trace_id, start.trace_id);
  at = put_id(at, tags::span::span_id, start.span_id);
  if (!is_zero(start.parent_span_id)) at = put_id(at, tags::span::parent_span_id, start.parent_span_id);
  kind_offset_ = static_cast<std::size_t>(at - out_.at(0));
  at = put_small(at, tags::span::kind, static_cast<std::uint8_t>(start.kind));
  at = put_fixed(at, tags::span::start_time, unix_nanos(start.start_time));
  if (start.flags != 0) {
    base::store(at, tags::span::flags);
    base::store(at + 2, start.flags);
    at += 6;
  }
  out_.set_cursor(at);
  if (!start.trace_state.empty()) put_text_field(out_, tags::span::trace_state, start.trace_state);
  if (!start.name.empty()) {
    name_offset_ = out_.offset();
    put_text_field(out_, tags::span::name, start.name);
  }
}

// The front of a span never moves: a tag and a byte of kind, a tag and eight bytes of time, two bytes of tag and flags.
void SpanWriter::set_kind(SpanKind kind) noexcept {
  if (!out_.failed()) *out_.at(kind_offset_ + 1) = static_cast<std::byte>(kind);
}
void SpanWriter::set_start_time(base::WallTime start_time) noexcept {
  if (!out_.failed()) base::store(out_.at(kind_offset_ + 3), unix_nanos(start_time));
}
void SpanWriter::set_flags(std::uint32_t flags) noexcept {
  if (!out_.failed()) base::store(out_.at(kind_offset_ + 13), flags);
}

void SpanWriter::set_name(std::string_view name) noexcept { replace_field(name_offset_, tags::span::name, name); }

void SpanWriter::replace_field(std::size_t& known, std::uint8_t tag, std::string_view text) noexcept {
  if (out_.failed()) return;
  if (known != 0) out_.bury(known);
  known = text.empty() ? 0 : out_.offset();
  put_text_field(out_, tag, text);
  if (out_.dead_bytes() > dead_bytes_max) [[unlikely]]
    reclaim();
}

bool SpanWriter::begin_child(std::uint8_t tag, std::size_t size, std::size_t attribute_count_max) noexcept {
  if (out_.failed() || !out_.reserve(1 + child_length_size + size)) return false;
  out_.put_tag(tag);
  out_.skip(child_length_size);
  child_body_ = out_.offset();
  child_attributes_.reset({attribute_count_max, limits_.attributes.value_length_max});
  return true;
}

void SpanWriter::end_child(std::uint8_t dropped_tag) noexcept {
  if (child_body_ == 0 || out_.failed()) return;
  out_.compact(child_body_);
  constexpr std::size_t count_size = 6;
  if (!out_.reserve(count_size)) return;
  out_.set_cursor(put_count(out_.cursor(), dropped_tag, child_attributes_.dropped_count()));
  const std::size_t size = out_.offset() - child_body_;
  if (size < std::size_t{1} << (7 * child_length_size)) [[likely]] {
    const auto length = static_cast<std::uint16_t>((size & 0x7FU) | 0x80U | size >> 7U << 8U);
    base::store(out_.at(child_body_) - child_length_size, length);
  } else {
    out_.close_padded(child_body_, child_length_size);
  }
  child_body_ = 0;
}

bool SpanWriter::begin_event(std::string_view name, base::WallTime time) noexcept {
  if (event_count_ >= limits_.event_count_max) {
    ++dropped_event_count_;
    return false;
  }
  if (!begin_child(tags::span::event, 9, limits_.event_attribute_count_max)) return false;
  ++event_count_;
  out_.set_cursor(put_fixed(out_.cursor(), tags::event::time, unix_nanos(time)));
  put_text_field(out_, tags::event::name, name);
  return true;
}

void SpanWriter::set_event_attribute(std::string_view key, const AttributeValue& value) noexcept {
  if (child_body_ != 0) child_attributes_.set(out_, tags::event::attribute, key, value);
}

void SpanWriter::end_event() noexcept { end_child(tags::event::dropped_attributes); }

bool SpanWriter::begin_link(const LinkTarget& target) noexcept {
  if (link_count_ >= limits_.link_count_max) {
    ++dropped_link_count_;
    return false;
  }
  if (!begin_child(tags::span::link, 18 + 10 + 5, limits_.link_attribute_count_max)) return false;
  ++link_count_;
  std::byte* at = put_id(out_.cursor(), tags::link::trace_id, target.trace_id);
  at = put_id(at, tags::link::span_id, target.span_id);
  if (target.flags != 0) at = put_fixed(at, tags::link::flags, target.flags);
  out_.set_cursor(at);
  put_text_field(out_, tags::link::trace_state, target.trace_state);
  return true;
}

void SpanWriter::set_link_attribute(std::string_view key, const AttributeValue& value) noexcept {
  if (child_body_ != 0) child_attributes_.set(out_, tags::link::attribute, key, value);
}

void SpanWriter::end_link() noexcept { end_child(tags::link::dropped_attributes); }

void SpanWriter::set_status(SpanStatus status, std::string_view description) noexcept {
  if (status == SpanStatus::unset || status_ == SpanStatus::ok || out_.failed()) return;
  if (status_offset_ != 0) {
    out_.bury(status_offset_);
    status_offset_ = 0;
  }
  status_ = status;
  if (status == SpanStatus::error && !description.empty()) {
    // The description lives in the caller's memory, so this Status is written now; others can wait for end().
    constexpr std::size_t status_length_size = 2;
    if (!out_.reserve(1 + status_length_size + 2)) return;
    status_offset_ = out_.offset();
    out_.put_tag(tags::span::status);
    out_.skip(status_length_size);
    const std::size_t body = out_.offset();
    out_.put_tag(tags::status::code);
    out_.put_tag(static_cast<std::uint8_t>(SpanStatus::error));
    put_text_field(out_, tags::status::message, description);
    if (!out_.failed()) out_.close_padded(body, status_length_size);
  }
  if (out_.dead_bytes() > dead_bytes_max) [[unlikely]]
    reclaim();
}

base::Bytes SpanWriter::end(base::WallTime end_time) noexcept {
  if (!out_.reserve(span_back_size)) return {};
  std::byte* at = put_fixed(out_.cursor(), tags::span::end_time, unix_nanos(end_time));
  if ((attributes_.dropped_count() | dropped_event_count_ | dropped_link_count_) != 0) [[unlikely]] {
    at = put_count(at, tags::span::dropped_attributes, attributes_.dropped_count());
    at = put_count(at, tags::span::dropped_events, dropped_event_count_);
    at = put_count(at, tags::span::dropped_links, dropped_link_count_);
  }
  if (status_ != SpanStatus::unset && status_offset_ == 0) {
    at = put_small(at, tags::span::status, 2);
    at = put_small(at, tags::status::code, static_cast<std::uint8_t>(status_));
  }
  out_.set_cursor(at);
  out_.compact(record_headroom);
  return close_record(out_);
}

// A span that overwrites the same attribute for hours must not grow for ever: removes what is buried, when that is
// most of the span, and finds again what the offsets pointed to.
void SpanWriter::reclaim() noexcept {
  if (child_body_ != 0 || out_.failed() || out_.dead_bytes() < out_.offset() / 2) return;
  out_.compact(record_headroom);
  attributes_.rebuild(out_, tags::span::attribute, record_headroom);
  name_offset_ = status_offset_ = 0;
  for_each_own_field(out_.bytes_from(record_headroom), [&](base::Bytes field) {
    const auto offset = static_cast<std::size_t>(field.data() - out_.at(0));
    if (field.front() == std::byte{tags::span::name}) name_offset_ = offset;
    if (field.front() == std::byte{tags::span::status}) status_offset_ = offset;
  });
}

}  // namespace arca::otlp
