// LeaseTable: leases by conditional statements on recovery_leases. A lease is the owner's column and ends by its TTL;
// the epoch stands beside it without one, so that it rises with every owner for as long as the table lives. Used by
// CqlStore for shards, and by the schema for the one who makes the tables.
#pragma once

#include <memory>
#include <string>

#include "cassandra/store.hpp"

namespace arca::cassandra {

// Thread-safe. An unknown outcome is asked for once more: the same conditional statement tells whether the first was
// applied, and is one that may be applied twice.
class LeaseTable {
 public:
  // `cql` outlives it and every operation under way.
  static Result<LeaseTable> create(Cql& cql, const std::string& keyspace);

  void take(std::int16_t shard, const Uuid& owner, std::chrono::seconds ttl, StoreRead<Lease> done) const noexcept;
  void renew(std::int16_t shard, const Uuid& owner, std::int64_t epoch, std::chrono::seconds ttl,
             StoreRead<Lease> done) const noexcept;
  void release(std::int16_t shard, const Uuid& owner, std::int64_t epoch, StoreDone done) const noexcept;

 private:
  struct Statements;
  LeaseTable(Cql& cql, std::shared_ptr<const Statements> statements) : cql_(&cql), statements_(std::move(statements)) {}

  Cql* cql_;
  std::shared_ptr<const Statements> statements_;
};

}  // namespace arca::cassandra
