// CassandraLink: what the Cassandra tier stands on: a store, its connection, its tables. The real one is a client of
// the driver with the tables that the settings describe; tests have one in memory.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "arca/config.hpp"
#include "arca/result.hpp"
#include "cassandra/cql.hpp"
#include "cassandra/schema.hpp"
#include "cassandra/store.hpp"

namespace arca::telemetry {

// Thread-safe.
class CassandraLink {
 public:
  virtual ~CassandraLink() = default;
  [[nodiscard]] virtual cassandra::ParkingStore& store() noexcept = 0;
  [[nodiscard]] virtual cassandra::ConnectionStatus connection() const = 0;
  // Compares the tables, after creating what is missing if that is allowed. Waits for answers.
  virtual Result<cassandra::SchemaReport> prepare() = 0;
  // Is called, on any thread, when the tables are not as they were.
  virtual void set_schema_watch(std::function<void()> watch) = 0;
  // Waits until the deadline for what is under way, and ends it then; whatever is asked later is answered: not sent. A
  // prepare() that waits for an answer returns soon. Requires: not in a callback.
  virtual void close(base::SteadyTime deadline) noexcept = 0;
};

// Connects in the background. Fails only for what cannot get better by itself: no driver, a file that cannot be read.
// Requires settings.is_configured(). `datacenter`: whose parked chunks it is about; empty: of the nodes that are asked.
Result<std::unique_ptr<CassandraLink>> make_cassandra_link(const CassandraSettings& settings,
                                                           const std::string& datacenter = {});

}  // namespace arca::telemetry
