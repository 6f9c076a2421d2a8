// What the Cassandra tier is told: where the cluster is, how to speak to it, and how its tables are made. Filled by the
// telemetry floor from arca::Settings, checked there; used by everything in this floor.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/time.hpp"

namespace arca::cassandra {

// Each makes what one side was told of visible to the other: less than a quorum is not on offer.
enum class Consistency : std::uint8_t { local_quorum, quorum, each_quorum, all };

struct ConnectionSettings {
  std::string contact_points;  // "host[:port],host[:port]"
  std::string local_datacenter;
  std::string user;
  std::string password;  // never logged
  bool use_tls = false;
  std::string certificate;  // of the authority, PEM; empty: the system's
  std::string client_certificate;
  std::string client_key;
  bool checks_host_name = true;
  Consistency consistency = Consistency::local_quorum;
  std::uint32_t in_flight_max = 64;
  std::uint64_t in_flight_bytes_max = 16ULL << 20U;
  base::Duration request_timeout = std::chrono::seconds(15);
  std::string driver_library;  // path of libarca_cql.so; empty: searched
};

struct SchemaSettings {
  std::string keyspace = "otel_traces";
  std::string replication_class = "SimpleStrategy";  // or NetworkTopologyStrategy
  // A factor; for NetworkTopologyStrategy also "dc1:3,dc2:3". A plain factor there holds for each datacenter that there
  // is when the keyspace is made.
  std::string replication_factor = "3";
  std::chrono::seconds row_ttl{604'800};      // of traces_overflow: 7 days
  std::chrono::seconds chunk_ttl{1'209'600};  // of chunks; the directory lives a day longer
  bool apply = true;                          // whether start-up may create what is missing
};

}  // namespace arca::cassandra
