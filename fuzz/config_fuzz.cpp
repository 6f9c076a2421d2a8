// The configuration on any bytes, as a YAML file and as the value of every variable: an error or a config, never a
// crash.
#include <cstdint>
#include <string>
#include <string_view>

#include "arca/config.hpp"
#include "os/environment.hpp"
#include "telemetry/variables.hpp"

namespace {

class OneText final : public arca::os::Environment {
 public:
  explicit OneText(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] std::optional<std::string> get(const std::string& name) const override {
    if (name == "ARCA_CONFIG_FILE") return std::nullopt;  // no files here
    return text_;
  }

 private:
  std::string text_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto from_yaml = arca::Config::from_yaml_text(text, "fuzz");
  const auto finalized = arca::finalize(from_yaml ? *from_yaml : arca::Config(), OneText(text));
  for (const auto& variable : arca::telemetry::variables()) {
    arca::Config config;
    const auto assigned = arca::telemetry::assign(variable, config, text);
    if (assigned && !arca::telemetry::validate(variable, config)) __builtin_trap();
  }
  static_cast<void>(finalized);
  return 0;
}
