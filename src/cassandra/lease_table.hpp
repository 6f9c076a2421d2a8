// LeaseTable: leases by conditional statements on recovery_leases. A lease is the owner's column and ends by its TTL;
// the epoch stands beside it without one, so that it rises with every owner for as long as the table lives. Used by
// CqlStore for shards of a datacenter, and by the schema for the one who makes the tables.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cassandra/store.hpp"

namespace arca::cassandra {

// Of a shard of the directory, which is one for each datacenter. Borrows the name while a call lasts.
struct ShardKey {
  std::string_view datacenter;
  std::int16_t shard = 0;
};

// What a row says, or a conditional statement that was not applied: its columns are named, not ordered.
struct LeaseStanding {
  std::optional<Uuid> owner;
  std::optional<std::int64_t> epoch;
};

// Thread-safe. An unknown outcome is asked for once more: the same conditional statement tells whether the first was
// applied, and is one that may be applied twice.
class LeaseTable {
 public:
  // `cql` outlives it and every operation under way.
  // All who compete for a lease go by one consistency: a local one when they are of one datacenter.
  static Result<LeaseTable> create(Cql& cql, const std::string& keyspace, Consistency consistency);

  void take(const ShardKey& key, const Uuid& owner, std::chrono::seconds ttl, StoreRead<Lease> done) const noexcept;
  void renew(const ShardKey& key, const Uuid& owner, std::int64_t epoch, std::chrono::seconds ttl,
             StoreRead<Lease> done) const noexcept;
  void release(const ShardKey& key, const Uuid& owner, std::int64_t epoch, StoreDone done) const noexcept;

 private:
  struct Statements;
  LeaseTable(Cql& cql, std::shared_ptr<const Statements> statements, Consistency consistency)
      : cql_(&cql), statements_(std::move(statements)), consistency_(consistency) {}
  [[nodiscard]] Request request_of(Statement statement) const;
  void take_or_renew(const LeaseStanding& standing, const ShardKey& key, const Uuid& owner, std::chrono::seconds ttl,
                     const std::shared_ptr<const StoreRead<Lease>>& done) const;

  Cql* cql_;
  std::shared_ptr<const Statements> statements_;
  Consistency consistency_;
};

}  // namespace arca::cassandra
