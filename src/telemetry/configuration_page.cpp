// docs/configuration.md and the text of --help, from the list of variables.
#include <fmt/format.h>

#include "telemetry/variables.hpp"

namespace arca {
namespace {

constexpr const char* introduction = R"(# Configuration

This page is printed by the list that parses (`arca::configuration_markdown()`); a test compares them.

A value is taken from the first of: the `arca::Config` of the application (or the flags of `arca`), the environment,
the YAML file that `ARCA_CONFIG_FILE` names, the default. An empty variable is an unset one.

Standard `OTEL_*` variables that cannot be parsed are ignored with a warning, as their specification asks. `ARCA_*`
variables, keys of the file and fields of `Config` are strict: a wrong one, or a key that does not exist, is an
error that names key, value and what is allowed, and nothing starts. Numbers of `OTEL_*` durations are milliseconds;
every duration may also carry a unit (`250ms`, `10s`, `5m`, `1h`, `7d`), every size too (`64MiB`, `4GiB`).

The OpenTelemetry specification's default protocol is `http/protobuf` on port 4318. Arca's is `grpc` on 127.0.0.1:4317,
which costs less per span; set `OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf` for the other. Both are complete.

`ARCA_CONFIG_FILE` names a YAML file. Its keys are the second column, nested at the dots:

```yaml
service_name: shop
otlp:
  endpoint: http://127.0.0.1:4317
  headers: {tenant: blue}
limits:
  span_event_count: 64
journal_size: 2GiB
```
)";

std::string cell(const std::string& text) { return text.empty() ? "-" : text; }

}  // namespace

std::string configuration_markdown() {
  std::string page = introduction;
  std::string group;
  for (const telemetry::Variable& variable : telemetry::variables()) {
    if (variable.group != group) {
      group = variable.group;
      page += fmt::format("\n## {}\n\n| Variable | Key | Default | Allowed | What it does |\n|---|---|---|---|---|\n",
                          group);
    }
    page += fmt::format("| `{}` | `{}` | {} | {} | {} |\n", variable.name, variable.key, cell(variable.default_text),
                        telemetry::describe_allowed(variable), variable.help);
  }
  return page;
}

std::string configuration_help() {
  std::string text = "Variables (the key in a YAML file, the default):\n";
  for (const telemetry::Variable& variable : telemetry::variables()) {
    text += fmt::format("  {}\n      {}; default: {}; {}.\n      {}\n", variable.name, variable.key,
                        cell(variable.default_text), telemetry::describe_allowed(variable), variable.help);
  }
  text += "  ARCA_CONFIG_FILE\n      a YAML file with these keys; the environment wins over it.\n";
  return text;
}

}  // namespace arca
