#include "telemetry/trace_context.hpp"

#include <array>

#include "opentelemetry/trace/context.h"
#include "opentelemetry/trace/default_span.h"
#include "telemetry/api_values.hpp"

namespace arca::telemetry {
namespace {

namespace trace_api = opentelemetry::trace;
namespace nostd = opentelemetry::nostd;

constexpr std::size_t traceparent_size = 55;  // 00-<32>-<16>-<2>
constexpr std::size_t tracestate_size_max = 8192;
constexpr std::uint8_t known_flags = 0x03;  // sampled, random

std::string_view trim(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;  // upper case is not allowed
}

template <std::size_t size>
bool read_hex(std::string_view text, std::array<std::uint8_t, size>& bytes) noexcept {
  for (std::size_t i = 0; i < size; ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

nostd::shared_ptr<trace_api::TraceState> read_state(std::string_view header) noexcept {
  header = trim(header);
  if (header.empty() || header.size() > tracestate_size_max) return trace_api::TraceState::GetDefault();
  return trace_api::TraceState::FromHeader(to_api(header));
}

}  // namespace

std::optional<trace_api::SpanContext> parse_trace_context(std::string_view traceparent,
                                                          std::string_view tracestate) noexcept {
  const std::string_view text = trim(traceparent);
  if (text.size() < traceparent_size || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};
  std::array<std::uint8_t, 1> flags{};
  if (!read_hex(text.substr(0, 2), version) || !read_hex(text.substr(3, 32), trace_id) ||
      !read_hex(text.substr(36, 16), span_id) || !read_hex(text.substr(53, 2), flags)) {
    return std::nullopt;
  }
  if (version[0] == 0xFF) return std::nullopt;
  // A later version may go on after a dash; version 00 ends here.
  if (text.size() > traceparent_size && (version[0] == 0 || text[traceparent_size] != '-')) return std::nullopt;
  const trace_api::SpanContext context(trace_api::TraceId(nostd::span<const std::uint8_t, 16>(trace_id.data(), 16)),
                                       trace_api::SpanId(nostd::span<const std::uint8_t, 8>(span_id.data(), 8)),
                                       trace_api::TraceFlags(flags[0] & known_flags), true, read_state(tracestate));
  if (!context.IsValid()) return std::nullopt;
  return context;
}

opentelemetry::context::Context TraceContextPropagator::Extract(
    const opentelemetry::context::propagation::TextMapCarrier& carrier,
    opentelemetry::context::Context& context) noexcept {
  const auto found = parse_trace_context(to_std(carrier.Get("traceparent")), to_std(carrier.Get("tracestate")));
  if (!found) return context;
  const nostd::shared_ptr<trace_api::Span> span(new trace_api::DefaultSpan(*found));
  return trace_api::SetSpan(context, span);
}

void TraceContextPropagator::Inject(opentelemetry::context::propagation::TextMapCarrier& carrier,
                                    const opentelemetry::context::Context& context) noexcept {
  const trace_api::SpanContext span = trace_api::GetSpan(context)->GetContext();
  if (!span.IsValid()) return;
  std::array<char, traceparent_size> text{'0', '0', '-'};
  span.trace_id().ToLowerBase16(nostd::span<char, 32>(text.data() + 3, 32));
  text[35] = '-';
  span.span_id().ToLowerBase16(nostd::span<char, 16>(text.data() + 36, 16));
  text[52] = '-';
  span.trace_flags().ToLowerBase16(nostd::span<char, 2>(text.data() + 53, 2));
  carrier.Set("traceparent", nostd::string_view(text.data(), text.size()));
  if (!span.trace_state()->Empty()) carrier.Set("tracestate", span.trace_state()->ToHeader());
}

bool TraceContextPropagator::Fields(nostd::function_ref<bool(nostd::string_view)> callback) const noexcept {
  return callback("traceparent") && callback("tracestate");
}

}  // namespace arca::telemetry
