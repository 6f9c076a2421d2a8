#include "telemetry/core.hpp"

#include <vector>

namespace arca::telemetry {
namespace {

std::size_t length(std::uint32_t limit) noexcept { return limit == no_limit ? otlp::no_limit : limit; }

otlp::SpanLimits span_limits_of(const Limits& limits) noexcept {
  return {
      .attributes = {.count_max = limits.attribute_count, .value_length_max = length(limits.attribute_value_length)},
      .event_count_max = limits.event_count,
      .link_count_max = limits.link_count,
      .event_attribute_count_max = limits.event_attribute_count,
      .link_attribute_count_max = limits.link_attribute_count};
}

}  // namespace

Core::Core(const FinalizedConfig& config, os::Clock& from, bool allow_counter, std::vector<std::byte> resource_bytes)
    : clock(from, allow_counter),
      sampler(config->sampler, config->sampler_ratio),
      span_limits(span_limits_of(config->span_limits)),
      log_limits{.count_max = config->log_limits.attribute_count,
                 .value_length_max = length(config->log_limits.attribute_value_length)},
      resource(std::move(resource_bytes)) {}

Core& Core::make(const FinalizedConfig& config, os::Clock& clock, bool allow_counter,
                 std::vector<std::byte> resource_bytes) {
  // Kept reachable, so that leak checkers see that it is meant.
  static auto* const mutex = new std::mutex;
  static auto* const cores = new std::vector<std::unique_ptr<Core>>;
  const std::lock_guard lock(*mutex);
  cores->push_back(std::make_unique<Core>(config, clock, allow_counter, std::move(resource_bytes)));
  return *cores->back();
}

}  // namespace arca::telemetry
