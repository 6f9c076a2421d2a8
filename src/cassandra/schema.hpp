// Schema: the tables of the tier as text, created where they are missing and compared where they are. Used at start-up,
// by `arca schema` and by the tests.
#pragma once

#include <string>
#include <vector>

#include "cassandra/cql.hpp"
#include "cassandra/settings.hpp"

namespace arca::cassandra {

// The statements that make keyspace and tables, each complete and safe to repeat (IF NOT EXISTS), in their order.
std::vector<std::string> schema_statements(const SchemaSettings& settings);

struct SchemaReport {
  std::vector<std::string> missing;      // "keyspace K", "table K.T", "column K.T.C type": apply makes them
  std::vector<std::string> differences;  // one sentence each: what is, what should be, what to do
  std::vector<std::string> notes;        // for instance a replication factor above the number of nodes
  [[nodiscard]] bool complete() const noexcept { return missing.empty(); }
  [[nodiscard]] bool fits() const noexcept { return missing.empty() && differences.empty(); }
};

// All wait for answers, up to `timeout`; not for callbacks.
Result<SchemaReport> check_schema(Cql& cql, const SchemaSettings& settings, std::chrono::milliseconds timeout);
// Creates what is missing, then checks. Several may do so at the same time: one makes the tables, the others wait for
// him. It changes nothing that is there but for columns that it adds.
Result<SchemaReport> apply_schema(Cql& cql, const SchemaSettings& settings, std::chrono::milliseconds timeout);

}  // namespace arca::cassandra
