// LogWriter: one log record as OTLP bytes, encoded while the API calls come in. The result is a record of
// model/record_grammar.hpp. Used by the logger and by the log record processor plug-in.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "otlp/attributes.hpp"
#include "otlp/value.hpp"
#include "otlp/wire_writer.hpp"

namespace arca::otlp {

// Not thread-safe: one thread fills one log record. Meant to be pooled, as SpanWriter is. Every setter may be called
// in any order; of two calls the last one counts. Never throws; without memory end() returns no bytes.
class LogWriter {
 public:
  explicit LogWriter(std::size_t record_size_max = WireWriter::size_max_default) noexcept : out_(record_size_max) {}

  // Starts a log record; whatever was not ended before is forgotten.
  void begin(const AttributeLimits& limits) noexcept;

  void set_time(base::WallTime time) noexcept { time_ = unix_nanos(time); }
  void set_observed_time(base::WallTime time) noexcept { observed_time_ = unix_nanos(time); }
  // As numbered in OTLP: 1 (TRACE) to 24 (FATAL4); 0 is unspecified.
  void set_severity(std::uint8_t number) noexcept { severity_ = number; }
  void set_severity_text(std::string_view text) noexcept;
  void set_body(const AttributeValue& body) noexcept;
  void set_event_name(std::string_view name) noexcept;
  void set_trace_id(const TraceId& id) noexcept { trace_id_ = id; }
  void set_span_id(const SpanId& id) noexcept { span_id_ = id; }
  void set_trace_flags(std::uint8_t flags) noexcept { flags_ = flags; }
  void set_attribute(std::string_view key, const AttributeValue& value) noexcept;

  // Closes the record and returns its framed bytes, valid until the next begin(); no bytes if memory ran out.
  [[nodiscard]] base::Bytes end() noexcept;

  [[nodiscard]] bool failed() const noexcept { return out_.failed(); }
  [[nodiscard]] std::size_t size() const noexcept { return out_.offset(); }
  // Gives the buffer back if it has grown beyond `capacity_max`. Requires: the last record is no longer needed.
  void trim(std::size_t capacity_max) noexcept { out_.trim(capacity_max); }

 private:
  void bury(std::size_t& known) noexcept;
  void replace_text(std::size_t& known, std::uint8_t tag, std::string_view text) noexcept;

  WireWriter out_;
  std::uint64_t time_ = 0;
  std::uint64_t observed_time_ = 0;
  std::uint32_t flags_ = 0;
  std::uint8_t severity_ = 0;
  TraceId trace_id_{};
  SpanId span_id_{};
  std::size_t severity_text_offset_ = 0;  // of the field; 0: none
  std::size_t body_offset_ = 0;
  std::size_t event_name_offset_ = 0;
  AttributeLimits limits_;
  AttributeList attributes_;
};

}  // namespace arca::otlp
