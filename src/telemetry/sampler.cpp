#include "telemetry/sampler.hpp"

namespace arca::telemetry {

Sampler::Sampler(std::string_view name, double ratio) noexcept {
  constexpr std::string_view prefix = "parentbased_";
  if (name.starts_with(prefix)) {
    parent_based_ = true;
    name.remove_prefix(prefix.size());
  }
  if (name == "always_off") root_ = Root::off;
  if (name == "traceidratio") {
    root_ = ratio >= 1.0 ? Root::on : Root::ratio;
    threshold_ = static_cast<std::uint64_t>(ratio * 0x1p63);
  }
}

// The low 63 bits of the trace id's second half, big-endian, as the SDKs of other languages take them, so that
// all services of a trace agree at equal ratios.
bool Sampler::samples_by_ratio(const std::uint8_t (&trace_id)[16]) const noexcept {
  std::uint64_t value = 0;
  for (int i = 8; i < 16; ++i) value = (value << 8U) | trace_id[i];
  return (value >> 1U) < threshold_;
}

}  // namespace arca::telemetry
