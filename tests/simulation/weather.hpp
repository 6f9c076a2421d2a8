// Weather: how a peer and the way to it behave at the moment. Changed by the history, asked for each request.
#pragma once

#include "simulation/dice.hpp"

namespace arca::simulation {

struct Weather {
  bool is_away = false;                                   // nobody can be reached
  std::uint32_t busy = 0;                                 // percent of requests that are refused for now
  std::uint32_t rejected = 0;                             // refused for good
  std::uint32_t partly = 0;                               // taken, but for some of their items
  std::uint32_t lost_requests = 0;                        // that never arrive
  std::uint32_t lost_answers = 0;                         // of those that did
  std::uint32_t late = 0;                                 // that arrive when nobody waits for them any more
  base::Duration latency = std::chrono::milliseconds(2);  // at most, one way
};

enum class Fate : std::uint8_t { unreachable, busy, rejected, partly, request_lost, answer_lost, late, well };

inline Fate draw_fate(const Weather& weather, Dice& dice) {
  if (weather.is_away) return Fate::unreachable;
  const auto roll = static_cast<std::uint32_t>(dice.below(100));
  std::uint32_t up_to = 0;
  const auto falls = [&](std::uint32_t percent) { return roll < (up_to += percent); };
  if (falls(weather.busy)) return Fate::busy;
  if (falls(weather.rejected)) return Fate::rejected;
  if (falls(weather.partly)) return Fate::partly;
  if (falls(weather.lost_requests)) return Fate::request_lost;
  if (falls(weather.lost_answers)) return Fate::answer_lost;
  if (falls(weather.late)) return Fate::late;
  return Fate::well;
}

}  // namespace arca::simulation
