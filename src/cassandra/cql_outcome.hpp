// What the driver's statuses mean to whoever must act on them. Used by CqlClient.
#pragma once

#include <cstdint>

#include "cassandra/cql.hpp"
#include "cassandra/cql_library.hpp"

namespace arca::cassandra {

// Of a call that was not begun: no completion comes.
Answer answer_of_call(std::int32_t status) noexcept;
// Of a request that was begun. Takes the result.
Answer answer_of_completion(const CqlLibrary& library, const arca_cql_completion& completion);

}  // namespace arca::cassandra
