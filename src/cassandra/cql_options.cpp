#include "cassandra/cql_options.hpp"

#include <algorithm>
#include <string_view>

#include "os/log.hpp"

namespace arca::cassandra {
namespace {

std::uint32_t milliseconds_of(base::Duration duration) noexcept {
  const auto count = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(count, 1, 3'600'000));
}

}  // namespace

void DriverLog::write(void* self, std::int32_t level, const char* text, std::size_t length) noexcept {
  const std::string_view line(text, length);
  const auto known = static_cast<os::LogLevel>(
      std::clamp<std::int32_t>(level, std::int32_t{ARCA_CQL_ERROR}, std::int32_t{ARCA_CQL_DEBUG}));
  os::log(known, "cassandra driver: {}", line);
  if (level > ARCA_CQL_WARN) return;
  try {
    auto& log = *static_cast<DriverLog*>(self);
    const std::scoped_lock lock(log.mutex_);
    log.last_ = line;
  } catch (const std::exception&) {  // no memory to keep it; it is in the library's log
  }
}

std::string DriverLog::last() const {
  const std::scoped_lock lock(mutex_);
  return last_;
}

arca_cql_options driver_options(const ConnectionSettings& settings, DriverLog& log) noexcept {
  arca_cql_options options{};
  options.size = sizeof options;
  options.contact_points = settings.contact_points.c_str();
  options.local_datacenter = settings.local_datacenter.c_str();
  options.user = settings.user.c_str();
  options.password = settings.password.c_str();
  options.use_tls = settings.use_tls ? 1 : 0;
  options.ca_file = settings.certificate.c_str();
  options.client_certificate_file = settings.client_certificate.c_str();
  options.client_key_file = settings.client_key.c_str();
  options.skip_host_name_check = settings.checks_host_name ? 0 : 1;
  options.in_flight_max = settings.in_flight_max;
  options.in_flight_bytes_max = settings.in_flight_bytes_max;
  options.request_timeout_ms = milliseconds_of(settings.request_timeout);
  options.log = &DriverLog::write;
  options.log_context = &log;
  return options;
}

std::uint16_t number_of(Consistency consistency) noexcept {
  switch (consistency) {
    case Consistency::quorum:
      return ARCA_CQL_QUORUM;
    case Consistency::all:
      return ARCA_CQL_ALL;
    case Consistency::local_quorum:
      return ARCA_CQL_LOCAL_QUORUM;
    case Consistency::each_quorum:
      return ARCA_CQL_EACH_QUORUM;
  }
  return ARCA_CQL_LOCAL_QUORUM;
}

// What a quorum of our datacenter has acknowledged is read by a quorum there. That holds for each_quorum and all, too;
// they are no levels to read at: one replica that is down would stop recovery.
Consistency for_reading(Consistency consistency) noexcept {
  return consistency == Consistency::quorum ? Consistency::quorum : Consistency::local_quorum;
}

}  // namespace arca::cassandra
