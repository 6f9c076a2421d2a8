// The three signals of OpenTelemetry, as Arca carries them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace arca::model {

// Permanent numbers: they stand in the pool and in the journal.
enum class Signal : std::uint8_t { traces = 0, metrics = 1, logs = 2 };
inline constexpr std::size_t signal_count = 3;
inline constexpr std::array<Signal, signal_count> all_signals{Signal::traces, Signal::metrics, Signal::logs};

constexpr std::size_t index_of(Signal signal) noexcept { return static_cast<std::size_t>(signal); }
constexpr std::string_view to_string(Signal signal) noexcept {
  constexpr std::array<std::string_view, signal_count> names{"traces", "metrics", "logs"};
  return names[index_of(signal)];
}

// A set of signals in one byte.
class SignalSet {
 public:
  constexpr SignalSet() = default;
  static constexpr SignalSet all() noexcept { return SignalSet(7); }
  static constexpr SignalSet only(Signal signal) noexcept { return SignalSet(bit(signal)); }
  [[nodiscard]] constexpr bool contains(Signal signal) const noexcept { return (bits_ & bit(signal)) != 0; }
  [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }
  constexpr void insert(Signal signal) noexcept { bits_ = static_cast<std::uint8_t>(bits_ | bit(signal)); }
  constexpr void erase(Signal signal) noexcept { bits_ = static_cast<std::uint8_t>(bits_ & ~bit(signal)); }

 private:
  explicit constexpr SignalSet(std::uint8_t bits) noexcept : bits_(bits) {}
  static constexpr std::uint8_t bit(Signal signal) noexcept {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(signal));
  }
  std::uint8_t bits_ = 0;
};

}  // namespace arca::model
