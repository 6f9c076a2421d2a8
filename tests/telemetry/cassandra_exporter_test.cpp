// The exporter for Cassandra where no cluster is needed; with a real node it is tested in tests/integration.
#include "arca/cassandra_exporter.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "support/temporary_directory.hpp"

namespace arca::test {
namespace {

TEST(CassandraExporter, WithoutContactPointsItDoesNotStartAndSaysWhy) {
  support::TemporaryDirectory directory;
  Config config;
  config.state_directory = directory / "state";
  const auto exporter = make_cassandra_span_exporter(config);
  ASSERT_FALSE(exporter);
  EXPECT_NE(exporter.error().message().find("cassandra.contact_points"), std::string::npos)
      << exporter.error().message();
  EXPECT_FALSE(std::filesystem::exists(directory / "state"));
}

TEST(CassandraExporter, WithoutADriverItDoesNotStartAndSaysWhereItWasLookedFor) {
  support::TemporaryDirectory directory;
  Config config;
  config.state_directory = directory / "state";
  config.pool_directory = directory.path();
  config.cassandra.contact_points = "127.0.0.1:1";
  config.cassandra.driver = "/nowhere/libarca_cql.so";
  const auto exporter = make_cassandra_span_exporter(config);
  ASSERT_FALSE(exporter);
  EXPECT_NE(exporter.error().message().find("/nowhere/libarca_cql.so"), std::string::npos)
      << exporter.error().message();
}

TEST(CassandraExporter, SwitchedOffItTakesEverythingAndKeepsNothing) {
  support::TemporaryDirectory directory;
  Config config;
  config.disabled = true;
  config.state_directory = directory / "state";
  config.cassandra.contact_points = "127.0.0.1:1";
  auto exporter = make_cassandra_span_exporter(config);
  ASSERT_TRUE(exporter) << exporter.error().message();
  auto span = (*exporter)->MakeRecordable();
  span->SetName("ignored");
  EXPECT_EQ((*exporter)->Export({&span, 1}), opentelemetry::sdk::common::ExportResult::kSuccess);
  EXPECT_TRUE((*exporter)->ForceFlush(std::chrono::seconds(1)));
  EXPECT_FALSE(std::filesystem::exists(directory / "state"));
}

}  // namespace
}  // namespace arca::test
