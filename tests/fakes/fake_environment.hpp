// An environment that a test writes down.
#pragma once

#include <map>
#include <utility>

#include "os/environment.hpp"

namespace arca::fakes {

// Not thread-safe while it is changed.
class FakeEnvironment final : public os::Environment {
 public:
  FakeEnvironment() = default;
  explicit FakeEnvironment(std::map<std::string, std::string> variables) : variables_(std::move(variables)) {}

  void set(const std::string& name, const std::string& value) { variables_[name] = value; }
  void unset(const std::string& name) { variables_.erase(name); }
  [[nodiscard]] std::optional<std::string> get(const std::string& name) const override {
    const auto found = variables_.find(name);
    return found == variables_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  std::map<std::string, std::string> variables_;
};

}  // namespace arca::fakes
