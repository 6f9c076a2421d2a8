// What is asked of the Cassandra tier, checked, and as its floor takes it. Used by config.cpp, the tier and the
// commands.
#pragma once

#include "arca/config.hpp"
#include "arca/result.hpp"
#include "cassandra/settings.hpp"

namespace arca::telemetry {

// Checks everything that can be checked without looking at files. Errors name key, value and what is allowed.
Result<CassandraSettings> cassandra_settings(const CassandraConfig& config);

// Reads the password's file and looks whether the certificates can be read. Requires is_configured().
Result<cassandra::ConnectionSettings> connection_settings(const CassandraSettings& settings);
cassandra::SchemaSettings schema_settings(const CassandraSettings& settings);

}  // namespace arca::telemetry
