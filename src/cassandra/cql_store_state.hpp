// CqlStore::State: the statements of the store. Shared by the sources of CqlStore: cql_store.cpp (made, parking),
// cql_store_rows.cpp (rows for look-up), cql_store_recovery.cpp (what recovery asks and writes).
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <utility>

#include "cassandra/cql_store.hpp"
#include "cassandra/lease_table.hpp"

namespace arca::cassandra {

// Immutable but for the datacenter, which is set once. Thread-safe.
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

  void set_datacenter(const std::string& name) {
    const std::scoped_lock lock(naming_mutex_);
    if (name.empty() || !name_.empty()) return;
    name_ = name;
    datacenter_.store(&name_, std::memory_order_release);
  }
  [[nodiscard]] const std::string& datacenter() const noexcept { return *datacenter_.load(std::memory_order_acquire); }
  // Of a segment, its key in the directory: the values of every WHERE.
  void add_key(Values& values, const SegmentName& segment) const {
    values.text(datacenter()).timestamp(segment.bucket).smallint(segment.shard).uuid(segment.id);
  }

  Cql& cql;
  const Statements statements;
  const LeaseTable leases;

 private:
  std::mutex naming_mutex_;
  const std::string unnamed_;
  std::string name_;
  std::atomic<const std::string*> datacenter_{&unnamed_};
};

}  // namespace arca::cassandra
