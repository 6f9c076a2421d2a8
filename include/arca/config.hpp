// What a user may wish (Config: everything optional) and what a component may rely on (FinalizedConfig: it is
// valid, or it does not exist). The list of all keys, variables, defaults and ranges is docs/configuration.md,
// printed by the code that parses them. Used by applications, by Telemetry::start and by the program.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arca/export.hpp"
#include "arca/result.hpp"

namespace arca {

namespace os {
class Environment;
}

using KeyValues = std::vector<std::pair<std::string, std::string>>;

// Where and how one signal (or, as OtlpConfig's base, every signal) is exported.
struct OtlpSignalConfig {
  std::optional<std::string> endpoint;
  std::optional<std::string> protocol;     // grpc, http/protobuf
  std::optional<std::string> compression;  // none, gzip
  std::optional<KeyValues> headers;
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<bool> insecure;
  std::optional<std::string> certificate;
  std::optional<std::string> client_certificate;
  std::optional<std::string> client_key;
};

struct OtlpConfig : OtlpSignalConfig {
  OtlpSignalConfig traces;
  OtlpSignalConfig metrics;
  OtlpSignalConfig logs;
};

struct LimitsConfig {
  std::optional<std::uint64_t> attribute_count;
  std::optional<std::uint64_t> attribute_value_length;
  std::optional<std::uint64_t> span_attribute_count;
  std::optional<std::uint64_t> span_attribute_value_length;
  std::optional<std::uint64_t> span_event_count;
  std::optional<std::uint64_t> span_link_count;
  std::optional<std::uint64_t> event_attribute_count;
  std::optional<std::uint64_t> link_attribute_count;
  std::optional<std::uint64_t> log_attribute_count;
  std::optional<std::uint64_t> log_attribute_value_length;
};

struct BatchConfig {  // the SDK's batch processors; Arca needs only the schedule delay
  std::optional<std::chrono::milliseconds> schedule_delay;
  std::optional<std::chrono::milliseconds> export_timeout;
  std::optional<std::uint64_t> max_queue_size;
  std::optional<std::uint64_t> max_export_batch_size;
};

struct RecoveryConfig {
  std::optional<bool> enabled;
  std::optional<std::uint64_t> bytes_per_second;  // 0: no limit
  std::optional<std::chrono::milliseconds> scan_interval;
};

// The overflow tier that outlives the host. Without contact points there is none.
struct CassandraConfig {
  std::optional<std::string> contact_points;  // "host[:port],host[:port]"
  std::optional<std::string> local_datacenter;
  std::optional<std::string> user;
  std::optional<std::string> password;
  std::optional<std::string> password_file;
  std::optional<bool> tls;
  std::optional<std::string> certificate;
  std::optional<std::string> client_certificate;
  std::optional<std::string> client_key;
  std::optional<bool> check_host_name;
  std::optional<std::string> consistency;
  std::optional<std::string> keyspace;
  std::optional<std::string> replication_class;   // SimpleStrategy, NetworkTopologyStrategy
  std::optional<std::string> replication_factor;  // "3", or "dc1:3,dc2:3"
  std::optional<std::chrono::milliseconds> row_ttl;
  std::optional<std::chrono::milliseconds> chunk_ttl;
  std::optional<bool> apply_schema;
  std::optional<std::uint64_t> requests_in_flight;
  std::optional<std::chrono::milliseconds> request_timeout;
  std::optional<bool> rows;
  std::optional<std::uint64_t> rows_per_second;  // 0: no limit
  std::optional<std::string> also_store;         // none, all
  std::optional<std::string> driver;             // path of libarca_cql.so
  std::optional<bool> recovery;
  std::optional<std::chrono::milliseconds> scan_interval;
};

// What a user asks for. A field that is not set comes from the environment, then from the file that ARCA_CONFIG_FILE
// names, then from the default. Value type.
struct ARCA_EXPORT Config {
  std::optional<bool> disabled;
  std::optional<std::string> service_name;
  std::optional<KeyValues> resource_attributes;
  std::optional<std::string> log_level;
  std::optional<bool> install_global;  // providers and propagators

  std::optional<std::vector<std::string>> propagators;
  std::optional<std::string> sampler;
  std::optional<std::string> sampler_argument;
  std::optional<std::string> traces_exporter;  // otlp, none
  std::optional<std::string> metrics_exporter;
  std::optional<std::string> logs_exporter;

  OtlpConfig otlp;
  LimitsConfig limits;
  BatchConfig span_batch;
  BatchConfig log_batch;

  std::optional<std::chrono::milliseconds> metric_interval;
  std::optional<std::chrono::milliseconds> metric_timeout;
  std::optional<std::string> metric_temporality;  // cumulative, delta, lowmemory
  std::optional<std::string> exemplar_filter;
  std::optional<bool> self_metrics;
  std::optional<std::chrono::milliseconds> self_metric_interval;

  std::optional<std::string> state_directory;
  std::optional<std::uint64_t> pool_size;
  std::optional<std::string> pool_directory;
  std::optional<std::uint64_t> journal_size;
  std::optional<std::uint64_t> quarantine_size;
  std::optional<std::string> durability;  // process, power
  std::optional<std::string> when_full;   // refuse, block
  std::optional<std::chrono::milliseconds> block_timeout;
  std::optional<double> high_water;
  std::optional<std::chrono::milliseconds> schedule_delay;
  std::optional<std::chrono::milliseconds> shutdown_timeout;
  std::optional<std::uint64_t> requests_in_flight;
  RecoveryConfig recovery;
  CassandraConfig cassandra;

  // Reads a YAML file; unknown keys and wrong types are errors that name the line.
  static Result<Config> from_yaml(const std::string& path);
  static Result<Config> from_yaml_text(std::string_view text, std::string_view name);
};

enum class Protocol : std::uint8_t { grpc, http_protobuf };
enum class Temporality : std::uint8_t { cumulative, delta, lowmemory };
enum class WhenFull : std::uint8_t { refuse, block };

inline constexpr std::uint32_t no_limit = UINT32_MAX;

struct Limits {
  std::uint32_t attribute_count = 128;
  std::uint32_t attribute_value_length = no_limit;
  std::uint32_t event_count = 128;
  std::uint32_t link_count = 128;
  std::uint32_t event_attribute_count = 128;
  std::uint32_t link_attribute_count = 128;
};

struct SignalSettings {
  bool enabled = true;
  Protocol protocol = Protocol::grpc;
  std::string endpoint;   // as given, with the signal's path for HTTP
  bool insecure = false;  // gRPC without scheme: no TLS
  bool gzip = false;
  KeyValues headers;
  std::chrono::milliseconds timeout{10'000};
  std::string certificate;
  std::string client_certificate;
  std::string client_key;
};

struct CassandraSettings {
  std::string contact_points;  // empty: there is no such tier
  std::string local_datacenter;
  std::string user;
  std::string password;
  std::string password_file;  // read at the start
  bool tls = false;
  std::string certificate;
  std::string client_certificate;
  std::string client_key;
  bool check_host_name = true;
  std::string consistency = "local_quorum";
  std::string keyspace = "otel_traces";
  std::string replication_class = "SimpleStrategy";
  std::string replication_factor = "3";
  std::chrono::seconds row_ttl{604'800};
  std::chrono::seconds chunk_ttl{1'209'600};
  bool apply_schema = true;
  std::uint32_t requests_in_flight = 64;
  std::chrono::milliseconds request_timeout{15'000};
  bool rows = true;
  std::uint64_t rows_per_second = 0;
  bool store_all = false;
  std::string driver;
  bool recovery = true;
  std::chrono::milliseconds scan_interval{5'000};

  [[nodiscard]] bool is_configured() const noexcept { return !contact_points.empty(); }
};

// Every value that a component needs, checked.
struct Settings {
  bool disabled = false;
  bool install_global = true;
  std::string service_name;  // empty: unknown_service:<executable>
  KeyValues resource_attributes;
  std::string log_level;
  std::vector<std::string> propagators;
  std::string sampler;
  double sampler_ratio = 1.0;
  SignalSettings traces;
  SignalSettings metrics;
  SignalSettings logs;
  Limits span_limits;
  Limits log_limits;
  std::chrono::milliseconds metric_interval{60'000};
  std::chrono::milliseconds metric_timeout{30'000};
  Temporality temporality = Temporality::cumulative;
  std::string exemplar_filter;
  bool self_metrics = true;
  std::chrono::milliseconds self_metric_interval{60'000};
  std::string state_directory;
  std::uint64_t pool_size = 0;
  std::string pool_directory;
  std::uint64_t journal_size = 0;  // 0: 4 GiB or a tenth of the free disk, whichever is less
  std::uint64_t quarantine_size = 0;
  bool durable_over_power_loss = false;
  WhenFull when_full = WhenFull::refuse;
  std::chrono::milliseconds block_timeout{0};
  double high_water = 0.0;
  std::chrono::milliseconds schedule_delay{1'000};
  std::chrono::milliseconds shutdown_timeout{5'000};
  std::uint32_t requests_in_flight = 8;
  bool recovery = true;
  std::uint64_t recovery_bytes_per_second = 0;
  std::chrono::milliseconds recovery_scan_interval{0};
  CassandraSettings cassandra;
};

// A configuration that was checked as a whole. Immutable; safe to copy between threads.
class FinalizedConfig {
 public:
  const Settings& operator*() const noexcept { return *settings_; }
  const Settings* operator->() const noexcept { return settings_.get(); }
  // What was ignored, as the specification asks for standard variables: one sentence each.
  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  friend Result<FinalizedConfig> finalize(const Config& config, const os::Environment& environment);
  FinalizedConfig(Settings settings, std::vector<std::string> warnings)
      : settings_(std::make_shared<const Settings>(std::move(settings))), warnings_(std::move(warnings)) {}

  std::shared_ptr<const Settings> settings_;
  std::vector<std::string> warnings_;
};

// Completes a config from the environment and defaults and checks it. An error names the key, its value and
// what is allowed. Standard OTEL_* variables that cannot be parsed are warnings, all else is strict.
ARCA_EXPORT Result<FinalizedConfig> finalize(const Config& config, const os::Environment& environment);
// The same with the environment of this process.
ARCA_EXPORT Result<FinalizedConfig> finalize(const Config& config);

// docs/configuration.md, from the same list that parses.
ARCA_EXPORT std::string configuration_markdown();
// The same list for a terminal: one variable a line.
ARCA_EXPORT std::string configuration_help();

}  // namespace arca
