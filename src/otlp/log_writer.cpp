#include "otlp/log_writer.hpp"

#include "otlp/fields.hpp"
#include "otlp/record_head.hpp"

namespace arca::otlp {

namespace {

// Fields of bounded size, written at the end: times, severity, ids, flags, dropped count.
constexpr std::size_t log_back_size = 9 + 9 + 3 + 18 + 10 + 5 + 6;

}  // namespace

void LogWriter::begin(const AttributeLimits& limits) noexcept {
  limits_ = limits;
  time_ = observed_time_ = 0;
  flags_ = 0;
  severity_ = 0;
  trace_id_ = {};
  span_id_ = {};
  severity_text_offset_ = body_offset_ = event_name_offset_ = 0;
  attributes_.reset(limits);
  out_.reset(record_headroom);
}

void LogWriter::bury(std::size_t& known) noexcept {
  if (known != 0) out_.bury(known);
  known = 0;
}

void LogWriter::replace_text(std::size_t& known, std::uint8_t tag, std::string_view text) noexcept {
  if (out_.failed()) return;
  bury(known);
  if (text.empty()) return;
  known = out_.offset();
  put_text_field(out_, tag, text);
}

void LogWriter::set_severity_text(std::string_view text) noexcept {
  replace_text(severity_text_offset_, tags::log::severity_text, text);
}

void LogWriter::set_event_name(std::string_view name) noexcept {
  replace_text(event_name_offset_, tags::log::event_name, name);
}

void LogWriter::set_body(const AttributeValue& body) noexcept {
  if (out_.failed()) return;
  bury(body_offset_);
  body_offset_ = out_.offset();
  // Limits are for attributes; a body is never cut.
  put_any_field(out_, tags::log::body, body, no_limit);
}

void LogWriter::set_attribute(std::string_view key, const AttributeValue& value) noexcept {
  attributes_.set(out_, tags::log::attribute, key, value);
}

base::Bytes LogWriter::end() noexcept {
  if (!out_.reserve(log_back_size)) return {};
  std::byte* at = out_.cursor();
  if (time_ != 0) at = put_fixed(at, tags::log::time, time_);
  if (observed_time_ != 0) at = put_fixed(at, tags::log::observed_time, observed_time_);
  at = put_count(at, tags::log::severity_number, severity_);
  if (trace_id_ != TraceId{}) at = put_id(at, tags::log::trace_id, trace_id_);
  if (span_id_ != SpanId{}) at = put_id(at, tags::log::span_id, span_id_);
  if (flags_ != 0) at = put_fixed(at, tags::log::flags, flags_);
  out_.set_cursor(put_count(at, tags::log::dropped_attributes, attributes_.dropped_count()));
  out_.compact(record_headroom);
  return close_record(out_);
}

}  // namespace arca::otlp
