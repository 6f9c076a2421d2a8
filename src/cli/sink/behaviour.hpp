// How the sink misbehaves, as text and as data. One line says one behaviour:
//
//   ok | refuse | stall | reset | close | hangup | goaway | abort | trickle | rubbish
//   delay TIME | status CODE | grpc NAME-OR-NUMBER | partial COUNT [MESSAGE...] | big SIZE
//
// with any of: ratio=0..1 count=N signal=traces|metrics|logs delay=TIME retry-after=TEXT retry-info=TIME message=TEXT
// A bare gRPC code name (`unavailable`) is short for `grpc unavailable`. Used by the command line, by the
// schedule and by the control port. What each word does is in `arca sink --help`.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "arca/result.hpp"
#include "base/time.hpp"
#include "model/signal.hpp"

namespace arca::cli::sink {

enum class Mode : std::uint8_t {
  ok,
  refuse,
  delay,
  stall,
  reset,
  close,
  hangup,
  goaway,
  abort,
  trickle,
  rubbish,
  status,
  grpc,
  partial,
  big
};
inline constexpr std::size_t mode_count = 15;
std::string_view to_string(Mode mode) noexcept;

struct Behaviour {
  Mode mode = Mode::ok;
  base::Duration delay{};
  int code = 0;              // HTTP status or gRPC code
  std::uint64_t amount = 0;  // rejected items, or bytes of a big body
  std::string message;
  std::optional<std::string> retry_after;  // sent as it is: seconds, a date, or rubbish
  std::optional<base::Duration> retry_info;
  bool rubbish_retry_info = false;      // retry-info=rubbish
  double ratio = 1;                     // share of the requests that it hits; the others are answered well
  std::optional<std::uint64_t> count;   // hits so many requests, then all is well
  std::optional<model::Signal> signal;  // this signal only
};

Result<Behaviour> parse_behaviour(std::string_view text);
// Numbers and names of gRPC: "unavailable", "UNAVAILABLE", "14".
std::optional<int> parse_grpc_code(std::string_view text);
// The HTTP status that stands for a gRPC code, for requests that came by HTTP.
int http_status_of(int grpc_code) noexcept;

// What happens when: "0s ok; 10s refuse; 20s repeat". `repeat` starts again from the first; without it
// the last step stays.
struct ScheduleStep {
  base::Duration from{};
  Behaviour behaviour;
};
struct Schedule {
  std::vector<ScheduleStep> steps;
  std::optional<base::Duration> period;
};
Result<Schedule> parse_schedule(std::string_view text);

// Chooses for each request. Not thread-safe.
class Behaviours {
 public:
  explicit Behaviours(std::uint64_t seed) : random_(seed) {}
  // Sets one behaviour: for its signal, or for all three.
  void set(const Behaviour& behaviour);
  // The behaviour for the next request of this signal; ratio and count have been applied.
  Behaviour next(model::Signal signal);
  // Whether all signals refuse connections.
  [[nodiscard]] bool refusing() const noexcept;

 private:
  std::array<Behaviour, model::signal_count> current_{};
  std::mt19937_64 random_;
};

}  // namespace arca::cli::sink
