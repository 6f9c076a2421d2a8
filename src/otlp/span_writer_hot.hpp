// The short cuts of SpanWriter, inline. Used by Span alone: elsewhere set_attribute() is fast enough.
#pragma once

#include "otlp/attributes_hot.hpp"
#include "otlp/fields.hpp"
#include "otlp/span_writer.hpp"

namespace arca::otlp {

template <class Scalar>
[[gnu::always_inline]] inline bool SpanWriter::add_plain(std::string_view key, Scalar value) noexcept {
  return attributes_.add_plain(out_, tags::span::attribute, key, value);
}

template <class Scalar>
[[gnu::always_inline]] inline bool SpanWriter::add_plain_to_event(std::string_view key, Scalar value) noexcept {
  return child_body_ != 0 && child_attributes_.add_plain(out_, tags::event::attribute, key, value);
}

}  // namespace arca::otlp
