// SpanWriter: one span as OTLP bytes, encoded while the API calls come in, so that End() only has to close it.
// The result is a record of model/record_grammar.hpp. Used by the tracer and by the span processor plug-in.
//
//   writer.begin({.trace_id = t, .span_id = s, .name = "GET /cart", ...}, limits);
//   writer.set_attribute("http.request.method", std::string_view("GET"));
//   if (writer.begin_event("cache miss", now)) { writer.set_event_attribute(...); writer.end_event(); }
//   base::Bytes record = writer.end(now);   // valid until the next begin()
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "otlp/attributes.hpp"
#include "otlp/value.hpp"
#include "otlp/wire_writer.hpp"

namespace arca::otlp {

// As numbered in OTLP.
enum class SpanKind : std::uint8_t {
  unspecified = 0,
  internal = 1,
  server = 2,
  client = 3,
  producer = 4,
  consumer = 5
};
enum class SpanStatus : std::uint8_t { unset = 0, ok = 1, error = 2 };

struct SpanLimits {
  AttributeLimits attributes;
  std::size_t event_count_max = 128;
  std::size_t link_count_max = 128;
  std::size_t event_attribute_count_max = 128;
  std::size_t link_attribute_count_max = 128;
};

// The field `flags` of spans and links: W3C trace flags, and whether the parent (or linked span) is remote, which is
// always known here.
constexpr std::uint32_t span_flags(std::uint8_t trace_flags, bool is_remote) noexcept {
  return trace_flags | 0x100U | (is_remote ? 0x200U : 0U);
}

struct SpanStart {
  TraceId trace_id{};
  SpanId span_id{};
  SpanId parent_span_id{};  // zeros: a root span
  std::string_view trace_state{};
  std::uint32_t flags = 0;  // see span_flags()
  SpanKind kind = SpanKind::internal;
  base::WallTime start_time{};
  std::string_view name{};
};

struct LinkTarget {
  TraceId trace_id{};
  SpanId span_id{};
  std::string_view trace_state{};
  std::uint32_t flags = 0;  // see span_flags()
};

// Not thread-safe: the owner holds the span's lock. Meant to be pooled: its buffer serves one span after another
// without allocating. Never throws; without memory the span is refused and end() returns no bytes.
class SpanWriter {
 public:
  explicit SpanWriter(std::size_t record_size_max = WireWriter::size_max_default) noexcept : out_(record_size_max) {}

  // Starts a span; whatever was not ended before is forgotten.
  void begin(const SpanStart& start, const SpanLimits& limits) noexcept;

  // For callers that learn these only later (the SDK's recordable does): replace what begin() was given. set_flags
  // requires that begin() was given flags, which may be any but 0.
  void set_kind(SpanKind kind) noexcept;
  void set_start_time(base::WallTime start_time) noexcept;
  void set_flags(std::uint32_t flags) noexcept;

  // Replaces the name.
  void set_name(std::string_view name) noexcept;

  // Sets an attribute of the span. Requires: no event or link open (true of set_name and set_status as well).
  void set_attribute(std::string_view key, const AttributeValue& value) noexcept {
    attributes_.set(out_, tags_attribute, key, value);
    if (out_.dead_bytes() > dead_bytes_max) [[unlikely]]
      reclaim();
  }

  // A short cut for the value's own type: see AttributeList::add_plain. Defined in span_writer_hot.hpp.
  template <class Scalar>
  [[nodiscard]] bool add_plain(std::string_view key, Scalar value) noexcept;

  // Opens an event. False: the limit is reached, it was counted as dropped, and there is nothing to end.
  bool begin_event(std::string_view name, base::WallTime time) noexcept;
  void set_event_attribute(std::string_view key, const AttributeValue& value) noexcept;
  template <class Scalar>
  [[nodiscard]] bool add_plain_to_event(std::string_view key, Scalar value) noexcept;
  void end_event() noexcept;

  // Opens a link, with the same contract.
  bool begin_link(const LinkTarget& target) noexcept;
  void set_link_attribute(std::string_view key, const AttributeValue& value) noexcept;
  void end_link() noexcept;

  // Obeys the specification: Ok is final, Error overrides Unset, Unset changes nothing; only Error keeps its
  // description, and a later Error replaces it.
  void set_status(SpanStatus status, std::string_view description) noexcept;

  // Closes the span and returns its framed record, valid until the next begin(); no bytes if memory ran out.
  // Requires: begin(), and no event or link open. Call once.
  [[nodiscard]] base::Bytes end(base::WallTime end_time) noexcept;

  // Whether the span has been refused for want of memory.
  [[nodiscard]] bool failed() const noexcept { return out_.failed(); }
  // Bytes written so far.
  [[nodiscard]] std::size_t size() const noexcept { return out_.offset(); }
  // Gives the buffer back if it has grown beyond `capacity_max`. Requires: the last record is no longer needed.
  void trim(std::size_t capacity_max) noexcept { out_.trim(capacity_max); }

 private:
  static constexpr std::uint8_t tags_attribute = 0x4A;
  static constexpr std::size_t dead_bytes_max = 64 * 1024;

  bool begin_child(std::uint8_t tag, std::size_t size, std::size_t attribute_count_max) noexcept;
  void end_child(std::uint8_t dropped_tag) noexcept;
  void replace_field(std::size_t& known, std::uint8_t tag, std::string_view text) noexcept;
  [[gnu::cold]] void reclaim() noexcept;

  WireWriter out_;
  SpanLimits limits_;
  std::size_t kind_offset_ = 0;    // of the field kind; start time and flags stand right behind it
  std::size_t name_offset_ = 0;    // of the name field; 0: none
  std::size_t status_offset_ = 0;  // of the status field with a description; 0: none
  std::size_t child_body_ = 0;     // of the open event or link; 0: none
  std::uint32_t event_count_ = 0;
  std::uint32_t link_count_ = 0;
  std::uint32_t dropped_event_count_ = 0;
  std::uint32_t dropped_link_count_ = 0;
  SpanStatus status_ = SpanStatus::unset;
  AttributeList attributes_;
  AttributeList child_attributes_;
};

}  // namespace arca::otlp
