// The tables as data: what schema_statements() makes, read out of its own text, and what the server says there is. So
// there is one description of a table only. Used by Schema.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cassandra/cql.hpp"
#include "cassandra/settings.hpp"

namespace arca::cassandra {

struct TableDefinition {
  std::map<std::string, std::string> columns;  // name, type
  std::vector<std::string> partition_key;      // in order
  std::vector<std::string> clustering;         // in order, with its direction: "position ASC"
  std::int64_t ttl_s = 0;                      // default_time_to_live
};
using TableDefinitions = std::map<std::string, TableDefinition>;

// The name of the table that a CREATE TABLE of ours makes, without its keyspace; empty for another statement.
std::string table_of(std::string_view statement);
// Requires: a CREATE TABLE as schema_statements() writes it.
TableDefinition parse_table(std::string_view statement);
TableDefinitions wanted_tables(const SchemaSettings& settings);

// "partition; clustering" for people.
std::string key_text(const TableDefinition& table);

// class (its last word) and factors by datacenter; "replication_factor" where it is one for all.
struct Replication {
  std::string strategy;
  std::map<std::string, std::uint32_t> factors;
};
Replication wanted_replication(const SchemaSettings& settings);
// Of a column map<text, text>.
Replication replication_in(base::Bytes map);
std::string to_string(const Replication& replication);

}  // namespace arca::cassandra
