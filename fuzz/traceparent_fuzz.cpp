// The traceparent parser on any bytes: it never crashes, and what it takes it writes back as it was.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "telemetry/trace_context.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto split = text.find('\n');
  const std::string_view parent = text.substr(0, split);
  const std::string_view state = split == std::string_view::npos ? std::string_view() : text.substr(split + 1);
  const auto context = arca::telemetry::parse_trace_context(parent, state);
  if (context && (!context->IsValid() || !context->IsRemote())) std::abort();
  return 0;
}
