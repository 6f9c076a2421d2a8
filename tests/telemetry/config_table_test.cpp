// Every key of the list, in each of the ways that it can be set, with each kind of wrong value: an error that names
// key, value and what is allowed (or, for a standard variable, a warning that does). The wrong values come from the
// variable's own kind and range, so a key that is added is tested without a word here; a key of free text must be in
// one of the two tables below.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "arca/telemetry.hpp"
#include "fakes/fake_environment.hpp"
#include "support/temporary_directory.hpp"
#include "telemetry/variables.hpp"

namespace arca::test {
namespace {

using telemetry::Kind;
using telemetry::Variable;
using telemetry::variables;

fakes::FakeEnvironment environment_with_home(std::map<std::string, std::string> more = {}) {
  more.try_emplace("HOME", "/tmp");
  return fakes::FakeEnvironment(std::move(more));
}

std::string leaf_of(const std::string& key) { return key.substr(key.rfind('.') + 1); }

// Texts of which any is fine: names, and files that are looked at when telemetry starts.
const std::set<std::string> free_texts{"service_name", "certificate", "client_certificate", "client_key",
                                       "user",         "password",    "password_file",      "driver"};

const std::vector<std::string>& wrong_texts(const std::string& leaf) {
  static const std::map<std::string, std::vector<std::string>> table{
      {"endpoint",
       {"ftp://host", "http://", "https://:4317", "http://host:x", "http://host:99999", "http://host:0", "http://a b",
        "http://[::1", "http://[zz]:1", "http://::1:4317", "http://host:1:2", "http://host/#here", "unix:/tmp/socket",
        "http://host\r\nx: y"}},
      {"state_directory", {"relative/path", "~/arca"}},
      {"pool_directory", {"relative/path", "dev/shm"}},
      {"contact_points",
       {"host:x", "host:0", "host:99999", "a b", "http://host", "host/x", "host,", "a,b:c", "::1:9042"}},
      {"local_datacenter", {"a b", "dc'1", "dc1;"}},
      {"keyspace", {"Shop", "1st", "a-b", "a.b", "_a", "a b", "a_name_longer_than_any_keyspace_that_cassandra_takes"}},
      {"replication_factor", {"0", "x", "-1", "3.5", "101", "dc1:3", "3,3", "dc1:"}}};
  static const std::vector<std::string> none;
  const auto found = table.find(leaf);
  return found == table.end() ? none : found->second;
}

void add_numbers(const Variable& variable, std::vector<std::string>& wrong) {
  wrong.insert(wrong.end(), {"-1", "ten", "1.5", "0x10", "1 000", "99999999999999999999999", "5 parsecs", "1e3"});
  if (variable.range.min > 0) wrong.push_back(std::to_string(variable.range.min - 1));
  if (variable.range.max < UINT64_MAX) wrong.push_back(std::to_string(variable.range.max + 1));
}

std::vector<std::string> wrong_values(const Variable& variable) {
  std::vector<std::string> wrong;
  switch (variable.kind) {
    case Kind::text:
      return wrong_texts(leaf_of(variable.key));
    case Kind::boolean:
      return {"yes", "1", "on", "truefalse"};
    case Kind::count:
    case Kind::size:
    case Kind::duration:
      add_numbers(variable, wrong);
      return wrong;
    case Kind::ratio:
      return {"0", "1.01", "-0.5", "nan", "inf", "half", "0.5x"};
    case Kind::probability:
      return {"1.01", "-0.5", "nan", "inf", "half", "0.5x"};
    case Kind::pairs:
      return {"novalue", "=x", "a=%zz", "a=%2", "a=b,c"};
    case Kind::list:
      return {"carrier-pigeon"};
    case Kind::choice:
      return {"carrier-pigeon", "-rubbish-"};
  }
  return {};
}

// Headers carry credentials, a password is one: they are never shown.
bool is_shown(const Variable& variable) {
  return leaf_of(variable.key) != "headers" && leaf_of(variable.key) != "password";
}

void expect_names(const std::string& message, const std::string& name, const std::string& value, bool shows_value) {
  EXPECT_NE(message.find(name), std::string::npos) << name << " = " << value << ": " << message;
  EXPECT_NE(message.find("allowed is"), std::string::npos) << name << " = " << value << ": " << message;
  const bool has_value = message.find(value) != std::string::npos;
  EXPECT_TRUE(has_value || !shows_value) << name << " = " << value << ": " << message;
}

std::string quoted(const std::string& value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '\r')
      text += "\\r";
    else if (c == '\n')
      text += "\\n";
    else
      text += c;
  }
  return text + "\"";
}

// "otlp.traces.endpoint" and a value become a nested map.
std::string yaml_of(const std::string& key, const std::string& value) {
  std::string text;
  std::string indent;
  std::string rest = key;
  for (auto dot = rest.find('.'); dot != std::string::npos; dot = rest.find('.')) {
    text += indent + rest.substr(0, dot) + ":\n";
    indent += "  ";
    rest.erase(0, dot + 1);
  }
  return text + indent + rest + ": " + value + "\n";
}

// The error of a file with this key, found by the parser or when everything is put together.
std::string error_of_yaml(const std::string& text) {
  const auto config = Config::from_yaml_text(text, "arca.yaml");
  if (!config) return config.error().message();
  const auto finalized = finalize(*config, environment_with_home());
  return finalized ? "" : finalized.error().message();
}

TEST(ConfigTable, EveryKeyHasWrongValuesOrIsFreeText) {
  for (const Variable& variable : variables()) {
    const bool is_free = variable.kind == Kind::text && free_texts.contains(leaf_of(variable.key));
    EXPECT_NE(wrong_values(variable).empty(), !is_free) << variable.key << " is in none, or both, of the tables";
  }
}

TEST(ConfigTable, AWrongVariableIsNamedWithItsValueAndWhatIsAllowed) {
  for (const Variable& variable : variables()) {
    for (const std::string& value : wrong_values(variable)) {
      const auto config = finalize({}, environment_with_home({{variable.name, value}}));
      // A standard variable that cannot be parsed must be ignored; an address that makes no sense must not: nothing
      // would ever arrive.
      if (variable.is_standard() && variable.kind != Kind::text) {
        ASSERT_TRUE(config) << variable.name << " = " << value << ": " << config.error().message();
        ASSERT_EQ(config->warnings().size(), 1U) << variable.name << " = " << value;
        expect_names(config->warnings().front(), variable.name, value, is_shown(variable));
      } else {
        ASSERT_FALSE(config) << variable.name << " = " << value << " was taken";
        const bool is_address = variable.kind == Kind::text;
        expect_names(config.error().message(), is_address ? leaf_of(variable.key) : variable.name, value,
                     value.find('\r') == std::string::npos);
      }
    }
  }
}

TEST(ConfigTable, AWrongValueInTheFileIsNamedWithItsKeyAndWhatIsAllowed) {
  for (const Variable& variable : variables()) {
    for (const std::string& value : wrong_values(variable)) {
      const std::string message = error_of_yaml(yaml_of(variable.key, quoted(value)));
      ASSERT_NE(message, "") << variable.key << " = " << value << " was taken";
      expect_names(message, leaf_of(variable.key), value, is_shown(variable) && value.find('\r') == std::string::npos);
    }
  }
}

TEST(ConfigTable, AMapOrAListWhereAPlainValueBelongsIsAnError) {
  for (const Variable& variable : variables()) {
    if (variable.kind != Kind::pairs) {
      const std::string map = error_of_yaml(yaml_of(variable.key, "{a: b}"));
      EXPECT_NE(map.find(variable.key), std::string::npos) << variable.key << ": " << map;
    }
    if (variable.kind != Kind::list) {
      const std::string list = error_of_yaml(yaml_of(variable.key, "[a, b]"));
      EXPECT_NE(list.find(variable.key), std::string::npos) << variable.key << ": " << list;
    }
    const std::string nested = error_of_yaml(yaml_of(variable.key, "[[a], {b: [c]}]"));
    EXPECT_NE(nested.find(variable.key), std::string::npos) << variable.key << ": " << nested;
  }
}

TEST(ConfigTable, AMisspelledKeyIsNamedWithItsLine) {
  for (const Variable& variable : variables()) {
    for (const std::string& wrong : {variable.key + "x", variable.key + ".deeper", "un" + variable.key}) {
      if (variable.kind == Kind::pairs && wrong.ends_with(".deeper")) continue;  // its keys are the user's
      const std::string message = error_of_yaml(yaml_of(wrong, "1"));
      EXPECT_NE(message.find("arca.yaml:"), std::string::npos) << wrong << ": " << message;
      EXPECT_NE(message, "") << wrong;
    }
  }
}

// What an application can put into a field of the right type and the wrong range.
class SetOutOfRange {
 public:
  explicit SetOutOfRange(const Variable& variable) : variable_(variable) {}
  bool operator()(std::optional<std::string>* field) const {
    const auto wrong = wrong_values(variable_);
    if (!wrong.empty()) *field = wrong.front();
    return !wrong.empty();
  }
  bool operator()(std::optional<bool>*) const { return false; }
  bool operator()(std::optional<std::uint64_t>* field) const {
    if (variable_.range.max < UINT64_MAX) *field = variable_.range.max + 1;
    if (variable_.range.min > 0) *field = variable_.range.min - 1;
    return field->has_value();
  }
  bool operator()(std::optional<double>* field) const {
    *field = 1.5;
    return true;
  }
  bool operator()(std::optional<std::chrono::milliseconds>* field) const {
    *field = std::chrono::milliseconds(-1);
    return true;
  }
  bool operator()(std::optional<KeyValues>*) const { return false; }
  bool operator()(std::optional<std::vector<std::string>>* field) const {
    *field = {"carrier-pigeon"};
    return true;
  }

 private:
  const Variable& variable_;
};

TEST(ConfigTable, AWrongFieldOfTheApplicationIsNamedWithWhatIsAllowed) {
  for (const Variable& variable : variables()) {
    Config config;
    if (!std::visit(SetOutOfRange(variable), variable.field(config))) continue;
    const auto finalized = finalize(config, environment_with_home());
    ASSERT_FALSE(finalized) << variable.key;
    expect_names(finalized.error().message(), leaf_of(variable.key), "", false);
  }
}

TEST(ConfigTable, AnInvalidConfigDoesNotStart) {
  support::TemporaryDirectory directory;
  Config config;
  config.state_directory = directory / "state";
  config.otlp.endpoint = "nonsense://host";
  EXPECT_FALSE(Telemetry::start(config));
  EXPECT_FALSE(std::filesystem::exists(directory / "state")) << "nothing is touched before everything is valid";
}

TEST(ConfigTable, ACertificateThatCannotBeReadIsAClearErrorAtTheStart) {
  support::TemporaryDirectory directory;
  for (const char* key : {"certificate", "client_certificate", "client_key"}) {
    for (const std::string& path : {directory / "nothing.pem", directory.path()}) {
      Config config;
      config.state_directory = directory / "state";
      config.otlp.endpoint = "https://127.0.0.1:4317";
      const std::string name = key;
      if (name == "certificate") {
        config.otlp.certificate = path;
      } else {
        config.otlp.client_certificate = name == "client_certificate" ? path : "/etc/passwd";
        config.otlp.client_key = name == "client_key" ? path : "/etc/passwd";
      }
      const auto started = Telemetry::start(config);
      ASSERT_FALSE(started) << key;
      const std::string message = started.error().message();
      EXPECT_NE(message.find(std::string("otlp.traces.") + key), std::string::npos) << message;
      EXPECT_NE(message.find(path), std::string::npos) << message;
      EXPECT_NE(message.find("allowed is"), std::string::npos) << message;
    }
  }
}

}  // namespace
}  // namespace arca::test
