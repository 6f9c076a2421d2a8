#include "arca/propagation.hpp"

#include <algorithm>

#include "opentelemetry/baggage/propagation/baggage_propagator.h"
#include "opentelemetry/context/propagation/composite_propagator.h"
#include "opentelemetry/context/propagation/global_propagator.h"
#include "opentelemetry/context/runtime_context.h"
#include "opentelemetry/trace/propagation/b3_propagator.h"
#include "telemetry/api_values.hpp"
#include "telemetry/trace_context.hpp"

namespace arca {
namespace {

namespace propagation = opentelemetry::context::propagation;
namespace nostd = opentelemetry::nostd;
using telemetry::to_api;
using telemetry::to_std;

// A carrier over two functions of the application; whatever they throw ends here.
class FunctionCarrier final : public propagation::TextMapCarrier {
 public:
  FunctionCarrier(const HeaderGetter* get, const HeaderSetter* set) : get_(get), set_(set) {}

  nostd::string_view Get(nostd::string_view key) const noexcept override {
    if (get_ == nullptr || !*get_) return {};
    try {
      return to_api((*get_)(to_std(key)));
    } catch (...) {
      return {};  // the application's own failure: as if the header were not there
    }
  }
  void Set(nostd::string_view key, nostd::string_view value) noexcept override {
    if (set_ == nullptr || !*set_) return;
    try {
      (*set_)(to_std(key), to_std(value));
    } catch (...) {
      return;  // the application's own failure: the message goes without this header
    }
  }

 private:
  const HeaderGetter* get_;
  const HeaderSetter* set_;
};

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

void inject(const HeaderSetter& set_header, const opentelemetry::context::Context& context) noexcept {
  FunctionCarrier carrier(nullptr, &set_header);
  propagation::GlobalTextMapPropagator::GetGlobalPropagator()->Inject(carrier, context);
}

void inject(const HeaderSetter& set_header) noexcept {
  inject(set_header, opentelemetry::context::RuntimeContext::GetCurrent());
}

opentelemetry::context::Context extract(const HeaderGetter& get_header) noexcept {
  const FunctionCarrier carrier(&get_header, nullptr);
  auto current = opentelemetry::context::RuntimeContext::GetCurrent();
  return propagation::GlobalTextMapPropagator::GetGlobalPropagator()->Extract(carrier, current);
}

bool same_header(std::string_view left, std::string_view right) noexcept {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

std::unique_ptr<propagation::TextMapPropagator> make_propagator(const std::vector<std::string>& names) {
  std::vector<std::unique_ptr<propagation::TextMapPropagator>> parts;
  for (const std::string& name : names) {
    if (name == "tracecontext") parts.push_back(std::make_unique<telemetry::TraceContextPropagator>());
    if (name == "baggage") parts.push_back(std::make_unique<opentelemetry::baggage::propagation::BaggagePropagator>());
    if (name == "b3") parts.push_back(std::make_unique<opentelemetry::trace::propagation::B3Propagator>());
    if (name == "b3multi") {
      parts.push_back(std::make_unique<opentelemetry::trace::propagation::B3PropagatorMultiHeader>());
    }
  }
  return std::make_unique<propagation::CompositePropagator>(std::move(parts));
}

}  // namespace arca
