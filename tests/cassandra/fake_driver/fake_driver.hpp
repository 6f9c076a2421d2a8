// A driver that answers on command: the C interface of the real one with nothing behind it. Loaded by tests in its
// place, for the answers that no real node gives when asked to.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

// Everything as at the start; forgets the requests of clients that were closed.
void fake_cql_reset();
void fake_cql_set_abi_version(std::uint32_t version);
// What arca_cql_open answers; other than 0 it logs a line first.
void fake_cql_set_open_status(std::int32_t status);
void fake_cql_set_connection(std::uint32_t connected, std::int32_t last_status, const char* last_error);
// What the next calls of execute and batch answer; 0: they begin.
void fake_cql_set_call_status(std::int32_t status);
// While set, calls of execute and batch wait inside the driver.
void fake_cql_hold_calls(std::int32_t hold);
std::size_t fake_cql_held_count();

// Requests that have begun and are not completed, oldest first.
std::size_t fake_cql_pending_count();
// Of the latest of them: arca_cql_consistency.
std::uint16_t fake_cql_latest_consistency();
// The oldest completes so. `message` may be null; `with_rows`: one row of one boolean, true.
void fake_cql_complete(std::int32_t status, const char* message, std::int32_t with_rows);
std::size_t fake_cql_open_client_count();
std::size_t fake_cql_result_count();  // not freed yet

}  // extern "C"
