// The tables as text, and as the data that is read out of it.
#include <gmock/gmock.h>

#include "cassandra/schema.hpp"
#include "cassandra/schema_definition.hpp"

namespace arca::cassandra {
namespace {

using ::testing::HasSubstr;

TEST(SchemaTextTest, TheTableOfTheSpecificationIsMadeAsItSays) {
  SchemaSettings settings;
  const std::vector<std::string> all = schema_statements(settings);
  EXPECT_THAT(all[0], HasSubstr("otel_traces WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"));
  const TableDefinition table = parse_table(all[1]);
  EXPECT_EQ(table_of(all[1]), "traces_overflow");
  EXPECT_EQ(table.columns, (std::map<std::string, std::string>{{"trace_id", "text"},
                                                               {"span_id", "text"},
                                                               {"timestamp", "timestamp"},
                                                               {"service_name", "text"},
                                                               {"operation_name", "text"},
                                                               {"trace_data", "blob"}}));
  EXPECT_EQ(key_text(table), "((trace_id), span_id ASC)");
  EXPECT_EQ(table.ttl_s, 604'800);
}

TEST(SchemaTextTest, OurOwnTextIsReadRight) {
  const TableDefinitions tables = wanted_tables({});
  EXPECT_EQ(tables.size(), 9U);
  EXPECT_EQ(key_text(tables.at("overflow_segments")), "((datacenter, bucket, shard), segment ASC)");
  EXPECT_EQ(tables.at("overflow_segments").columns.at("services"), "frozen<set<text>>");
  EXPECT_EQ(key_text(tables.at("overflow_traces")), "((service, bucket, shard), start_ns DESC, trace_id ASC)");
  EXPECT_EQ(key_text(tables.at("overflow_names")), "((kind, service), name ASC)");
  EXPECT_EQ(key_text(tables.at("quarantine")), "((hour, shard), writer ASC, sequence ASC)");
  EXPECT_EQ(key_text(tables.at("recovery_leases")), "((datacenter, shard))");
  EXPECT_EQ(tables.at("recovery_leases").columns.at("shard"), "smallint");
  EXPECT_EQ(tables.at("recovery_leases").ttl_s, 0);
}

TEST(SchemaTextTest, ReplicationByDatacenterIsWrittenAndReadBack) {
  SchemaSettings settings;
  settings.replication_class = "NetworkTopologyStrategy";
  settings.replication_factor = "dc1:3,dc2:2";
  EXPECT_THAT(schema_statements(settings)[0], HasSubstr("{'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 2}"));
  EXPECT_EQ(to_string(wanted_replication(settings)), "NetworkTopologyStrategy, dc1: 3, dc2: 2");
}

}  // namespace
}  // namespace arca::cassandra
