// An export request as OTLP JSON text: ids in hex, 64-bit integers as strings, enums as numbers. Used by `arca
// query`, `arca inspect` and the JSON report of `arca sink`.
#pragma once

#include <string>

#include "arca/result.hpp"
#include "base/bytes.hpp"
#include "model/signal.hpp"

namespace arca::otlp {

// One line, no spaces between tokens; unknown fields are left out. ErrorCode::corrupt if the request is damaged.
Result<std::string> to_json(model::Signal signal, base::Bytes request);

}  // namespace arca::otlp
