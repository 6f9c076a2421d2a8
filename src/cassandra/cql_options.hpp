// What the driver is told when a client opens: the options, the consistencies by number, and where its lines go. Used
// by CqlClient.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "cassandra/cql_library.hpp"
#include "cassandra/settings.hpp"

namespace arca::cassandra {

// Thread-safe. The driver's lines go on to the library's log; the last complaint is kept for whoever reports a failure.
class DriverLog {
 public:
  static void write(void* self, std::int32_t level, const char* text, std::size_t length) noexcept;
  [[nodiscard]] std::string last() const;

 private:
  mutable std::mutex mutex_;
  std::string last_;  // protected by mutex_
};

// Points into `settings`; `log` outlives the client.
arca_cql_options driver_options(const ConnectionSettings& settings, DriverLog& log) noexcept;

std::uint16_t number_of(Consistency consistency) noexcept;
// The level of the reads beside writes of this one.
Consistency for_reading(Consistency consistency) noexcept;

}  // namespace arca::cassandra
