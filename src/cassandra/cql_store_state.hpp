// CqlStore::State: the statements of the store. Shared by the sources of CqlStore: cql_store.cpp (made, parking),
// cql_store_rows.cpp (rows for look-up), cql_store_recovery.cpp (what recovery asks and writes).
#pragma once

#include <utility>

#include "cassandra/cql_store.hpp"
#include "cassandra/lease_table.hpp"

namespace arca::cassandra {

// Immutable.
class CqlStore::State {
 public:
  struct Statements {
    // parking
    Statement put_bucket;
    Statement put_segment;
    Statement put_chunk;
    Statement seal_segment;
    // rows for look-up
    Statement put_row;
    Statement put_entry;
    Statement put_name;
    Statement mark_rows;
    // recovery
    Statement list_buckets;
    Statement list_segments;
    Statement read_segment;
    Statement read_chunks;
    Statement mark_replayed;
    Statement put_quarantined;
  };

  State(Cql& client, Statements made, LeaseTable table) : cql(client), statements(made), leases(std::move(table)) {}

  Cql& cql;
  const Statements statements;
  const LeaseTable leases;
};

}  // namespace arca::cassandra
