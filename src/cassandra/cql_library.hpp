// CqlLibrary: the driver's C interface as a table of pointers, filled from libarca_cql.so when a Cassandra tier is
// opened. The only header that sees arca_cql.h; used by CqlClient.
#pragma once

#include <arca_cql.h>

#include <string>
#include <vector>

#include "arca/result.hpp"

namespace arca::cassandra {

// Immutable. The library stays loaded until the process ends, so a table may be copied and kept.
struct CqlLibrary {
  decltype(&arca_cql_abi_version) abi_version = nullptr;
  decltype(&arca_cql_open) open = nullptr;
  decltype(&arca_cql_statement) statement = nullptr;
  decltype(&arca_cql_execute) execute = nullptr;
  decltype(&arca_cql_batch) batch = nullptr;
  decltype(&arca_cql_event_fd) event_fd = nullptr;
  decltype(&arca_cql_poll) poll = nullptr;
  decltype(&arca_cql_client_get_status) get_status = nullptr;
  decltype(&arca_cql_result_row_count) result_row_count = nullptr;
  decltype(&arca_cql_result_column_count) result_column_count = nullptr;
  decltype(&arca_cql_result_row) result_row = nullptr;
  decltype(&arca_cql_result_column_name) result_column_name = nullptr;
  decltype(&arca_cql_result_paging_state) result_paging_state = nullptr;
  decltype(&arca_cql_result_message) result_message = nullptr;
  decltype(&arca_cql_result_free) result_free = nullptr;
  decltype(&arca_cql_close) close = nullptr;
};

// Where the driver is looked for, in this order. A path that is given is the only place.
std::vector<std::string> driver_places(const std::string& given);

// Loads the driver. ErrorCode::not_found names every place and what to do; unsupported_version.
Result<CqlLibrary> load_driver(const std::string& given);

}  // namespace arca::cassandra
