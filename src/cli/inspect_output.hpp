// InspectOutput: one finding after the other, as an indented line for people or as a JSON object a line for programs;
// both from the same object, so that neither hides what the other shows. Used by `arca inspect`.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "cli/console.hpp"
#include "model/signal.hpp"

namespace arca::cli {

struct InspectOptions {
  bool json = false;
  bool records = false;  // decode and show each span, log record and metric
};

// Not thread-safe.
class InspectOutput {
 public:
  InspectOutput(Console& console, const InspectOptions& options) : console_(console), options_(options) {}

  // `kind` is one word ("chunk", "segment"); `facts` is an object; `depth` indents.
  void show(int depth, std::string_view kind, const nlohmann::ordered_json& facts);
  // Something that should not be: shown, and counted for the exit code.
  void damage(int depth, std::string_view where, std::string_view what);
  // The records of an export request, if records are asked for.
  void show_request(int depth, model::Signal signal, base::Bytes request);

  [[nodiscard]] std::uint64_t damage_count() const noexcept { return damage_count_; }
  [[nodiscard]] bool wants_records() const noexcept { return options_.records; }

 private:
  Console& console_;
  InspectOptions options_;
  std::uint64_t damage_count_ = 0;
};

}  // namespace arca::cli
