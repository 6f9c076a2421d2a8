#include "telemetry/cassandra_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>
#include <vector>

#include "cassandra/store.hpp"
#include "net/endpoint.hpp"
#include "os/file_system.hpp"

namespace arca::telemetry {
namespace {

using std::chrono::seconds;

constexpr std::size_t name_size_max = 48;  // of a keyspace, by Cassandra
constexpr std::uint64_t password_file_size_max = 4096;
constexpr std::uint32_t replication_factor_max = 100;
// No request of a writer is still under way when recovery trusts that a segment is whole. variables.cpp has the figure.
static_assert(std::chrono::seconds(15) < cassandra::segment_margin);

tl::unexpected<Error> refuse(const char* key, std::string_view value, std::string_view allowed) {
  return failure(ErrorCode::invalid_config,
                 fmt::format("cassandra.{}: \"{}\" is not allowed; allowed is {}", key, value, allowed));
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(',');
    std::string_view part = text.substr(0, end);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    parts.push_back(part);
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool is_contact_point(std::string_view text) {
  return text.find('/') == std::string_view::npos && net::parse_endpoint(text, net::Protocol::grpc, true).has_value();
}

bool is_keyspace(std::string_view text) noexcept {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !text.empty() && text.size() <= name_size_max && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '_'; });
}

// It stands between quotes in a statement.
bool is_datacenter(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

bool is_factor(std::string_view text) noexcept {
  std::uint32_t factor = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), factor);
  return error == std::errc() && end == text.data() + text.size() && factor >= 1 && factor <= replication_factor_max;
}

bool is_factor_by_datacenter(std::string_view text) {
  const auto parts = split(text);
  return std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
    const auto colon = part.find(':');
    return colon != std::string_view::npos && is_datacenter(part.substr(0, colon)) && is_factor(part.substr(colon + 1));
  });
}

Result<void> check(const CassandraSettings& settings) {
  if (settings.is_configured()) {
    const auto points = split(settings.contact_points);
    if (!std::all_of(points.begin(), points.end(), is_contact_point)) {
      return refuse("contact_points", settings.contact_points, "host or host:port, with commas between");
    }
  }
  if (!settings.local_datacenter.empty() && !is_datacenter(settings.local_datacenter)) {
    return refuse("local_datacenter", settings.local_datacenter, "a name of letters, digits, _, - and .");
  }
  if (!is_keyspace(settings.keyspace)) {
    return refuse("keyspace", settings.keyspace, "a lower-case letter, then letters, digits and _; 48 at most");
  }
  const bool by_topology = settings.replication_class == "NetworkTopologyStrategy";
  if (!is_factor(settings.replication_factor) &&
      !(by_topology && is_factor_by_datacenter(settings.replication_factor))) {
    return refuse("replication_factor", settings.replication_factor,
                  "1 to 100; with NetworkTopologyStrategy also dc1:3,dc2:3");
  }
  if (settings.row_ttl > settings.chunk_ttl) {
    return refuse("row_ttl", fmt::format("{}s", settings.row_ttl.count()),
                  fmt::format("at most cassandra.chunk_ttl, which is {}s", settings.chunk_ttl.count()));
  }
  if (settings.client_certificate.empty() != settings.client_key.empty()) {
    return failure(ErrorCode::invalid_config,
                   "cassandra.client_certificate: it and cassandra.client_key must be given together");
  }
  if (!settings.password.empty() && !settings.password_file.empty()) {
    return failure(ErrorCode::invalid_config,
                   "cassandra.password_file: it and cassandra.password exclude each other; give one");
  }
  return {};
}

Result<std::string> read_password(const std::string& path) {
  auto file = os::posix_file_system().open(path, os::OpenMode::read);
  if (!file) {
    return refuse("password_file", path, "a file that this process can read: " + file.error().message());
  }
  std::string text(password_file_size_max, '\0');
  const auto count = (*file)->read_at(0, std::as_writable_bytes(std::span<char>(text)));
  if (!count) return refuse("password_file", path, "a file that can be read: " + count.error().message());
  text.resize(*count);
  return text.substr(0, text.find_first_of("\r\n"));
}

cassandra::Consistency consistency_of(std::string_view name) noexcept {
  using cassandra::Consistency;
  constexpr std::pair<std::string_view, Consistency> all[] = {
      {"quorum", Consistency::quorum}, {"each_quorum", Consistency::each_quorum}, {"all", Consistency::all}};
  for (const auto& [key, value] : all) {
    if (key == name) return value;
  }
  return Consistency::local_quorum;
}

template <class T>
void take(T& to, const std::optional<T>& from) {
  if (from) to = *from;
}

}  // namespace

Result<CassandraSettings> cassandra_settings(const CassandraConfig& config) {
  CassandraSettings settings;
  take(settings.contact_points, config.contact_points);
  take(settings.local_datacenter, config.local_datacenter);
  take(settings.user, config.user);
  take(settings.password, config.password);
  take(settings.password_file, config.password_file);
  take(settings.certificate, config.certificate);
  take(settings.client_certificate, config.client_certificate);
  take(settings.client_key, config.client_key);
  settings.tls = config.tls.value_or(!settings.certificate.empty() || !settings.client_certificate.empty());
  take(settings.check_host_name, config.check_host_name);
  take(settings.consistency, config.consistency);
  take(settings.keyspace, config.keyspace);
  take(settings.replication_class, config.replication_class);
  take(settings.replication_factor, config.replication_factor);
  if (config.row_ttl) settings.row_ttl = std::chrono::duration_cast<seconds>(*config.row_ttl);
  if (config.chunk_ttl) settings.chunk_ttl = std::chrono::duration_cast<seconds>(*config.chunk_ttl);
  // Who shortens the life of chunks alone means the rows, too.
  if (!config.row_ttl) settings.row_ttl = std::min(settings.row_ttl, settings.chunk_ttl);
  take(settings.apply_schema, config.apply_schema);
  if (config.requests_in_flight) settings.requests_in_flight = static_cast<std::uint32_t>(*config.requests_in_flight);
  take(settings.request_timeout, config.request_timeout);
  take(settings.rows, config.rows);
  take(settings.rows_per_second, config.rows_per_second);
  settings.store_all = config.also_store.value_or("none") == "all";
  take(settings.driver, config.driver);
  take(settings.recovery, config.recovery);
  take(settings.scan_interval, config.scan_interval);
  if (auto checked = check(settings); !checked) return tl::unexpected(checked.error());
  return settings;
}

Result<cassandra::ConnectionSettings> connection_settings(const CassandraSettings& settings) {
  cassandra::ConnectionSettings made;
  made.contact_points = settings.contact_points;
  made.local_datacenter = settings.local_datacenter;
  made.user = settings.user;
  made.password = settings.password;
  if (!settings.password_file.empty()) {
    auto password = read_password(settings.password_file);
    if (!password) return tl::unexpected(password.error());
    made.password = std::move(*password);
  }
  made.use_tls = settings.tls;
  const std::pair<const char*, const std::string&> files[] = {{"certificate", settings.certificate},
                                                              {"client_certificate", settings.client_certificate},
                                                              {"client_key", settings.client_key}};
  for (const auto& [key, path] : files) {
    if (path.empty() || !settings.tls) continue;
    if (const auto readable = os::check_readable(path); !readable) {
      return refuse(key, path, "a PEM file that this process can read: " + readable.error().message());
    }
  }
  made.certificate = settings.certificate;
  made.client_certificate = settings.client_certificate;
  made.client_key = settings.client_key;
  made.checks_host_name = settings.check_host_name;
  made.consistency = consistency_of(settings.consistency);
  made.in_flight_max = settings.requests_in_flight;
  made.request_timeout = settings.request_timeout;
  made.driver_library = settings.driver;
  return made;
}

cassandra::SchemaSettings schema_settings(const CassandraSettings& settings) {
  cassandra::SchemaSettings made;
  made.keyspace = settings.keyspace;
  made.replication_class = settings.replication_class;
  made.replication_factor = settings.replication_factor;
  made.row_ttl = settings.row_ttl;
  made.chunk_ttl = settings.chunk_ttl;
  made.apply = settings.apply_schema;
  return made;
}

}  // namespace arca::telemetry
