// Every key of the configuration: what is allowed is taken, what is not is named.
#include "arca/config.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "fakes/fake_environment.hpp"
#include "support/temporary_directory.hpp"
#include "telemetry/cassandra_config.hpp"
#include "telemetry/variables.hpp"

namespace arca::test {
namespace {

fakes::FakeEnvironment environment(std::map<std::string, std::string> more = {}) {
  more.try_emplace("ARCA_STATE_DIRECTORY", "/tmp/arca-state");
  return fakes::FakeEnvironment(std::move(more));
}

std::string error_of(const std::map<std::string, std::string>& variables) {
  const auto result = finalize({}, environment(variables));
  return result ? "" : result.error().message();
}

TEST(Config, DefaultsAreComplete) {
  const auto config = finalize({}, environment());
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ((*config)->traces.protocol, Protocol::grpc);
  EXPECT_EQ((*config)->traces.endpoint, "http://127.0.0.1:4317");
  EXPECT_EQ((*config)->sampler, "parentbased_always_on");
  EXPECT_EQ((*config)->schedule_delay, std::chrono::seconds(1));
  EXPECT_EQ((*config)->pool_size, 64U << 20U);
  EXPECT_EQ((*config)->span_limits.attribute_count, 128U);
  EXPECT_TRUE(config->warnings().empty());
}

TEST(Config, HttpAppendsTheSignalsPathToTheBaseAndTakesASignalsOwnUrlAsItIs) {
  const auto config = finalize({}, environment({{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"},
                                                {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:80/base"},
                                                {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://logs:443/own"}}));
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ((*config)->traces.endpoint, "http://collector:80/base/v1/traces");
  EXPECT_EQ((*config)->logs.endpoint, "https://logs:443/own");
}

TEST(Config, AStandardVariableThatCannotBeParsedIsIgnoredWithAWarning) {
  for (const char* name : {"OTEL_BSP_SCHEDULE_DELAY", "OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_EXPORTER_OTLP_TIMEOUT",
                           "OTEL_TRACES_SAMPLER", "OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_SDK_DISABLED"}) {
    const auto config = finalize({}, environment({{name, "rubbish"}}));
    ASSERT_TRUE(config) << name;
    ASSERT_EQ(config->warnings().size(), 1U) << name;
    EXPECT_NE(config->warnings().front().find(name), std::string::npos);
  }
}

TEST(Config, AnArcaVariableThatCannotBeParsedIsAnErrorThatNamesItValueAndWhatIsAllowed) {
  for (const auto& variable : telemetry::variables()) {
    if (variable.is_standard() || variable.kind == telemetry::Kind::text) continue;
    const std::string message = error_of({{variable.name, "-rubbish-"}});
    EXPECT_NE(message.find(variable.name), std::string::npos) << variable.name << ": " << message;
    EXPECT_NE(message.find("-rubbish-"), std::string::npos) << message;
    EXPECT_NE(message.find("allowed is"), std::string::npos) << message;
  }
}

TEST(Config, AnEmptyVariableIsUnset) {
  std::map<std::string, std::string> empty;
  for (const auto& variable : telemetry::variables()) empty[variable.name] = "";
  empty["ARCA_STATE_DIRECTORY"] = "/tmp/arca";
  const auto config = finalize({}, environment(empty));
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_TRUE(config->warnings().empty());
}

TEST(Config, NumbersOutOfRangeAreRefused) {
  EXPECT_NE(error_of({{"ARCA_POOL_SIZE", "5"}}), "");
  EXPECT_NE(error_of({{"ARCA_POOL_SIZE", "99999999999999999999"}}), "");
  EXPECT_NE(error_of({{"ARCA_HIGH_WATER", "1.5"}}), "");
  EXPECT_NE(error_of({{"ARCA_HIGH_WATER", "nan"}}), "");
  EXPECT_EQ(error_of({{"ARCA_POOL_SIZE", "8MiB"}}), "");
  EXPECT_EQ(error_of({{"ARCA_SCHEDULE_DELAY", "250ms"}}), "");
}

TEST(Config, EveryFieldThatTheApplicationSetsIsChecked) {
  Config config;
  config.when_full = "panic";
  const auto result = finalize(config, environment());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(),
            "when_full: \"panic\" is not allowed; allowed is one of refuse, block (When pool and journal are full: "
            "refuse the newest record and count it, or make the caller wait.)");
}

TEST(Config, EndpointsThatDontParseAreErrors) {
  for (const char* endpoint : {"ftp://host", "http://", "host:99999", "http://host:x", "a b"}) {
    EXPECT_NE(error_of({{"OTEL_EXPORTER_OTLP_ENDPOINT", endpoint}}).find("otlp.endpoint"), std::string::npos)
        << endpoint << ": " << error_of({{"OTEL_EXPORTER_OTLP_ENDPOINT", endpoint}});
  }
}

TEST(Config, HeadersCannotSmuggleLines) {
  EXPECT_NE(error_of({{"OTEL_EXPORTER_OTLP_HEADERS", "a=b%0D%0Ac: d"}}), "");
  EXPECT_EQ(error_of({{"OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret%20word"}}), "");
}

// Headers carry credentials: what cannot be read of them is named, never shown.
TEST(Config, AHeaderThatCannotBeParsedIsNotShown) {
  for (const char* text : {"authorization=Bearer 100%top-secret", "top-secret", "a=b,top-secret=%zz"}) {
    for (const char* name : {"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_LOGS_HEADERS"}) {
      const auto config = finalize({}, environment({{name, text}}));
      ASSERT_TRUE(config);
      ASSERT_EQ(config->warnings().size(), 1U);
      EXPECT_NE(config->warnings().front().find(name), std::string::npos);
      EXPECT_EQ(config->warnings().front().find("secret"), std::string::npos) << config->warnings().front();
    }
  }
  const auto yaml = Config::from_yaml_text("otlp:\n  headers: top-secret\n", "a.yaml");
  ASSERT_FALSE(yaml);
  EXPECT_EQ(yaml.error().message().find("secret"), std::string::npos) << yaml.error().message();
}

TEST(Config, CodeWinsOverEnvironmentWinsOverFile) {
  support::TemporaryDirectory directory;
  std::ofstream(directory / "arca.yaml") << "service_name: file\nsampler: always_off\nlog_level: debug\n";
  Config code;
  code.service_name = "code";
  const auto config = finalize(code, environment({{"ARCA_CONFIG_FILE", directory / "arca.yaml"},
                                                  {"OTEL_SERVICE_NAME", "variable"},
                                                  {"OTEL_TRACES_SAMPLER", "always_on"}}));
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ((*config)->service_name, "code");
  EXPECT_EQ((*config)->sampler, "always_on");
  EXPECT_EQ((*config)->log_level, "debug");
}

TEST(Config, YamlNamesTheLineOfAnUnknownKeyAndOfAWrongType) {
  const auto unknown = Config::from_yaml_text("service_name: a\notlp:\n  endpiont: x\n", "arca.yaml");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message(), "arca.yaml:3: unknown key \"otlp.endpiont\"");
  const auto wrong = Config::from_yaml_text("\npool_size: [1]\n", "arca.yaml");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message().find("arca.yaml:2: pool_size"), std::string::npos) << wrong.error().message();
  for (const char* text : {"a: b: c", "- 1", "{", "service_name: ["}) {
    EXPECT_FALSE(Config::from_yaml_text(text, "x")) << text;
  }
}

TEST(Config, YamlTakesMapsAndLists) {
  const auto config = Config::from_yaml_text(
      "resource_attributes: {a: b, c: d}\npropagators: [b3, baggage]\notlp: {headers: {tenant: blue}, timeout: 2s}\n",
      "x");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->resource_attributes->size(), 2U);
  EXPECT_EQ(config->propagators->front(), "b3");
  EXPECT_EQ(config->otlp.headers->front().second, "blue");
  EXPECT_EQ(config->otlp.timeout, std::chrono::seconds(2));
}

TEST(Config, ResourceAttributesArePercentDecoded) {
  const auto pairs = telemetry::parse_pairs("a=b%20c,d=%2C");
  ASSERT_TRUE(pairs);
  EXPECT_EQ(pairs->at(0).second, "b c");
  EXPECT_EQ(pairs->at(1).second, ",");
  EXPECT_FALSE(telemetry::parse_pairs("a=%2"));
  EXPECT_FALSE(telemetry::parse_pairs("=b"));
}

TEST(Config, ACassandraIsThereWithContactPointsAndHasDefaults) {
  EXPECT_FALSE((*finalize({}, environment()))->cassandra.is_configured());
  const auto config = finalize({}, environment({{"ARCA_CASSANDRA_CONTACT_POINTS", "a,b:9043, [::1]:9042"}}));
  ASSERT_TRUE(config) << config.error().message();
  const CassandraSettings& cassandra = (*config)->cassandra;
  EXPECT_TRUE(cassandra.is_configured());
  EXPECT_EQ(cassandra.consistency, "local_quorum");
  EXPECT_EQ(cassandra.keyspace, "otel_traces");
  EXPECT_EQ(cassandra.replication_class, "SimpleStrategy");
  EXPECT_EQ(cassandra.replication_factor, "3");
  EXPECT_EQ(cassandra.row_ttl, std::chrono::hours(7 * 24));
  EXPECT_EQ(cassandra.chunk_ttl, std::chrono::hours(14 * 24));
  EXPECT_FALSE(cassandra.tls);
}

TEST(Config, AConsistencyBelowAQuorumIsRefusedWithTheReason) {
  for (const char* good : {"local_quorum", "quorum", "each_quorum", "all"}) {
    EXPECT_TRUE(finalize({}, environment({{"ARCA_CASSANDRA_CONSISTENCY", good}}))) << good;
  }
  for (const char* bad : {"one", "two", "three", "local_one", "any"}) {
    const auto refused = finalize({}, environment({{"ARCA_CASSANDRA_CONSISTENCY", bad}}));
    ASSERT_FALSE(refused) << bad;
    EXPECT_NE(refused.error().message().find("recovery could miss it"), std::string::npos) << refused.error().message();
  }
}

TEST(Config, ACertificateImpliesTlsAndTimesToLiveAreDays) {
  const auto config = finalize({}, environment({{"ARCA_CASSANDRA_CONTACT_POINTS", "a"},
                                                {"ARCA_CASSANDRA_CERTIFICATE", "/etc/ca.pem"},
                                                {"ARCA_CASSANDRA_ROW_TTL", "3d"},
                                                {"ARCA_CASSANDRA_CHUNK_TTL", "30d"},
                                                {"ARCA_CASSANDRA_REPLICATION_CLASS", "networktopologystrategy"},
                                                {"ARCA_CASSANDRA_REPLICATION_FACTOR", "dc1:3,dc2:2"}}));
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_TRUE((*config)->cassandra.tls);
  EXPECT_EQ((*config)->cassandra.row_ttl, std::chrono::hours(3 * 24));
  EXPECT_EQ((*config)->cassandra.chunk_ttl, std::chrono::hours(30 * 24));
  EXPECT_EQ((*config)->cassandra.replication_class, "NetworkTopologyStrategy");
}

TEST(Config, RowsThatOutliveTheirChunksAreAnError) {
  const auto wrong = finalize({}, environment({{"ARCA_CASSANDRA_ROW_TTL", "15d"}}));
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message().find("cassandra.row_ttl"), std::string::npos) << wrong.error().message();
  const auto shorter = finalize({}, environment({{"ARCA_CASSANDRA_CHUNK_TTL", "60s"}}));
  ASSERT_TRUE(shorter) << shorter.error().message();
  EXPECT_EQ((*shorter)->cassandra.row_ttl, std::chrono::seconds(60));
}

TEST(Config, ClientCertificateAndKeyOfCassandraComeTogetherAndPasswordsOnce) {
  for (const char* name : {"ARCA_CASSANDRA_CLIENT_CERTIFICATE", "ARCA_CASSANDRA_CLIENT_KEY"}) {
    EXPECT_FALSE(finalize({}, environment({{name, "/x.pem"}})));
  }
  const auto twice = finalize(
      {}, environment({{"ARCA_CASSANDRA_PASSWORD", "sesame"}, {"ARCA_CASSANDRA_PASSWORD_FILE", "/etc/password"}}));
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().message().find("sesame"), std::string::npos) << twice.error().message();
}

TEST(Config, ThePasswordOfCassandraComesFromItsFile) {
  support::TemporaryDirectory directory;
  std::ofstream(directory / "password") << "open sesame\nignored\n";
  CassandraSettings settings;
  settings.contact_points = "a";
  settings.password_file = directory / "password";
  const auto connection = telemetry::connection_settings(settings);
  ASSERT_TRUE(connection) << connection.error().message();
  EXPECT_EQ(connection->password, "open sesame");
  settings.password_file = directory / "nothing";
  const auto missing = telemetry::connection_settings(settings);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message().find("cassandra.password_file"), std::string::npos);
  settings.password_file.clear();
  settings.tls = true;
  settings.certificate = directory / "nothing.pem";
  const auto unreadable = telemetry::connection_settings(settings);
  ASSERT_FALSE(unreadable);
  EXPECT_NE(unreadable.error().message().find("cassandra.certificate"), std::string::npos);
}

TEST(Config, TheDocumentIsInStepWithTheCode) {
  std::ifstream file(std::string(ARCA_SOURCE_DIRECTORY) + "/docs/configuration.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), configuration_markdown()) << "write docs/configuration.md anew: arca docs configuration";
}

TEST(Config, KeysAndNamesAreUnique) {
  std::set<std::string> seen;
  for (const auto& variable : telemetry::variables()) {
    EXPECT_TRUE(seen.insert(variable.name).second) << variable.name;
    EXPECT_TRUE(seen.insert(variable.key).second) << variable.key;
  }
}

}  // namespace
}  // namespace arca::test
