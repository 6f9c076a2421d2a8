// Trace and span ids, from the fast generator of the os floor (per thread, seeded anew in a forked child).
#pragma once

#include <cstdint>
#include <string>

namespace arca::telemetry {

// Ids are never all zero.
void make_trace_id(std::uint8_t (&id)[16]) noexcept;
void make_trace_and_span_id(std::uint8_t (&trace_id)[16], std::uint8_t (&span_id)[8]) noexcept;
void make_span_id(std::uint8_t (&id)[8]) noexcept;

// A random (version 4) UUID in its usual form.
std::string make_uuid();

}  // namespace arca::telemetry
