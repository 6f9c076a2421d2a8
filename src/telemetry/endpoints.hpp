// One signal's export settings: the signal's own values over those for all signals, and the endpoint checked.
#pragma once

#include <string_view>

#include "arca/config.hpp"

namespace arca::telemetry {

// `name` is traces, metrics or logs. Errors name the key.
Result<SignalSettings> signal_settings(std::string_view name, const OtlpSignalConfig& special,
                                       const OtlpSignalConfig& general);

}  // namespace arca::telemetry
