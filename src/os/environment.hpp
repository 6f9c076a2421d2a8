// The seam to the environment variables of the process. The default is SystemEnvironment, the only place that calls
// getenv; tests inject fakes::FakeEnvironment. Used by the configuration.
#pragma once

#include <optional>
#include <string>

namespace arca::os {

// Thread-safe as long as nobody changes the environment meanwhile (setenv in the host is not our business).
class Environment {
 public:
  virtual ~Environment() = default;
  // The value of a variable; nothing if it is not set. A set but empty variable gives an empty string.
  [[nodiscard]] virtual std::optional<std::string> get(const std::string& name) const = 0;
};

class SystemEnvironment final : public Environment {
 public:
  [[nodiscard]] std::optional<std::string> get(const std::string& name) const override;
};

// The machine's name, for people; empty if it has none.
[[nodiscard]] std::string host_name();

}  // namespace arca::os
