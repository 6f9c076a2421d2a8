#include "telemetry/variables.hpp"

#include <array>
#include <utility>

namespace arca::telemetry {
namespace {

constexpr std::uint64_t ms_max = 24ULL * 3600 * 1000;  // a day is longer than anybody means
constexpr std::uint64_t day_ms = 24ULL * 3600 * 1000;
constexpr std::uint64_t ttl_ms_max = 7300 * day_ms;  // Cassandra knows no TTL above twenty years
constexpr std::uint64_t mebi = 1ULL << 20U;
constexpr std::uint64_t gibi = 1ULL << 30U;

using Rows = std::vector<Variable>;

template <class Get>
void add(Rows& rows, std::string group, std::string name, std::string key, Kind kind, std::string default_text,
         std::string allowed, Range range, std::string help, Get get) {
  rows.push_back({std::move(name), std::move(key), kind, std::move(default_text), std::move(allowed), range,
                  std::move(help), std::move(group), [get](Config& config) -> Field { return get(config); }});
}

void add_general(Rows& rows) {
  const char* group = "General";
  add(rows, group, "OTEL_SDK_DISABLED", "disabled", Kind::boolean, "false", "", {},
      "Switches all telemetry off: nothing is installed and nothing is recorded.",
      [](Config& c) { return &c.disabled; });
  add(rows, group, "OTEL_SERVICE_NAME", "service_name", Kind::text, "unknown_service:<executable>", "", {},
      "The resource's service.name; wins over OTEL_RESOURCE_ATTRIBUTES.", [](Config& c) { return &c.service_name; });
  add(rows, group, "OTEL_RESOURCE_ATTRIBUTES", "resource_attributes", Kind::pairs, "", "", {},
      "Attributes of the resource: key=value,key=value, percent-encoded.",
      [](Config& c) { return &c.resource_attributes; });
  add(rows, group, "OTEL_LOG_LEVEL", "log_level", Kind::choice, "info", "none, error, warn, info, debug", {},
      "How much Arca says about itself on standard error.", [](Config& c) { return &c.log_level; });
  add(rows, group, "OTEL_PROPAGATORS", "propagators", Kind::list, "tracecontext,baggage",
      "tracecontext, baggage, b3, b3multi, none", {}, "How context travels in headers.",
      [](Config& c) { return &c.propagators; });
  add(rows, group, "ARCA_INSTALL_GLOBAL", "install_global", Kind::boolean, "true", "", {},
      "Whether providers and propagators become the process's global ones.",
      [](Config& c) { return &c.install_global; });
}

void add_signals(Rows& rows) {
  const char* group = "Signals";
  add(rows, group, "OTEL_TRACES_SAMPLER", "sampler", Kind::choice, "parentbased_always_on",
      "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio",
      {}, "Which spans are recorded.", [](Config& c) { return &c.sampler; });
  add(rows, group, "OTEL_TRACES_SAMPLER_ARG", "sampler_argument", Kind::probability, "1.0", "", {},
      "For the ratio samplers: the probability that a trace is recorded.",
      [](Config& c) { return &c.sampler_argument; });
  add(rows, group, "OTEL_TRACES_EXPORTER", "traces_exporter", Kind::choice, "otlp", "otlp, none", {},
      "none: spans are not recorded.", [](Config& c) { return &c.traces_exporter; });
  add(rows, group, "OTEL_METRICS_EXPORTER", "metrics_exporter", Kind::choice, "otlp", "otlp, none", {},
      "none: metrics are not collected.", [](Config& c) { return &c.metrics_exporter; });
  add(rows, group, "OTEL_LOGS_EXPORTER", "logs_exporter", Kind::choice, "otlp", "otlp, none", {},
      "none: log records are not recorded.", [](Config& c) { return &c.logs_exporter; });
  add(rows, group, "OTEL_METRIC_EXPORT_INTERVAL", "metric_interval", Kind::duration, "60s", "", {1, ms_max},
      "Time between two collections of metrics.", [](Config& c) { return &c.metric_interval; });
  add(rows, group, "OTEL_METRIC_EXPORT_TIMEOUT", "metric_timeout", Kind::duration, "30s", "", {1, ms_max},
      "How long one collection may take; must be shorter than the interval, else it is cut to it.",
      [](Config& c) { return &c.metric_timeout; });
  add(rows, group, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "metric_temporality", Kind::choice,
      "cumulative", "cumulative, delta, lowmemory", {}, "Temporality of sums and histograms.",
      [](Config& c) { return &c.metric_temporality; });
  add(rows, group, "OTEL_METRICS_EXEMPLAR_FILTER", "exemplar_filter", Kind::choice, "trace_based",
      "always_on, always_off, trace_based", {}, "Where the SDK keeps exemplars; Debian's build has none.",
      [](Config& c) { return &c.exemplar_filter; });
  add(rows, group, "ARCA_SELF_METRICS", "self_metrics", Kind::boolean, "true", "", {},
      "Whether Arca exports metrics about itself (otel.sdk.* and arca.*).", [](Config& c) { return &c.self_metrics; });
  add(rows, group, "ARCA_SELF_METRICS_INTERVAL", "self_metric_interval", Kind::duration, "60s", "", {100, ms_max},
      "Time between two collections of those.", [](Config& c) { return &c.self_metric_interval; });
}

struct OtlpForm {
  std::string infix;  // in the variable's name
  std::string key;
  std::string about;
  OtlpSignalConfig& (*of)(Config&);
};

const std::array<OtlpForm, 4>& otlp_forms() {
  static const std::array<OtlpForm, 4> forms{{
      {"", "otlp", "all signals", [](Config& c) -> OtlpSignalConfig& { return c.otlp; }},
      {"TRACES_", "otlp.traces", "traces", [](Config& c) -> OtlpSignalConfig& { return c.otlp.traces; }},
      {"METRICS_", "otlp.metrics", "metrics", [](Config& c) -> OtlpSignalConfig& { return c.otlp.metrics; }},
      {"LOGS_", "otlp.logs", "logs", [](Config& c) -> OtlpSignalConfig& { return c.otlp.logs; }},
  }};
  return forms;
}

void add_otlp(Rows& rows, const OtlpForm& form) {
  const char* group = "Export";
  const bool base = form.infix.empty();
  const std::string prefix = "OTEL_EXPORTER_OTLP_" + form.infix;
  const auto row = [&](const char* name, const char* key, Kind kind, const char* default_text, const char* allowed,
                       Range range, const std::string& help, auto member) {
    auto* of = form.of;
    add(rows, group, prefix + name, form.key + "." + key, kind, base ? default_text : "as for all signals", allowed,
        range, help + " For " + form.about + ".", [of, member](Config& config) { return &(of(config).*member); });
  };
  row("ENDPOINT", "endpoint", Kind::text, "http://127.0.0.1:4317 (grpc), http://127.0.0.1:4318 (http/protobuf)", "", {},
      base ? "Where the Collector listens; for HTTP, v1/traces and so on is appended."
           : "Where the Collector listens; for HTTP, the whole URL as it is.",
      &OtlpSignalConfig::endpoint);
  row("PROTOCOL", "protocol", Kind::choice, "grpc", "grpc, http/protobuf", {}, "The transport.",
      &OtlpSignalConfig::protocol);
  row("COMPRESSION", "compression", Kind::choice, "none", "none, gzip", {}, "Compression of requests.",
      &OtlpSignalConfig::compression);
  row("HEADERS", "headers", Kind::pairs, "", "", {}, "Headers (gRPC: metadata) sent with each request.",
      &OtlpSignalConfig::headers);
  row("TIMEOUT", "timeout", Kind::duration, "10s", "", {1, ms_max}, "How long one request may take.",
      &OtlpSignalConfig::timeout);
  row("INSECURE", "insecure", Kind::boolean, "false", "", {}, "gRPC without TLS, if the endpoint has no scheme.",
      &OtlpSignalConfig::insecure);
  row("CERTIFICATE", "certificate", Kind::text, "the system's", "", {}, "File of the trusted certificates (PEM).",
      &OtlpSignalConfig::certificate);
  row("CLIENT_CERTIFICATE", "client_certificate", Kind::text, "", "", {}, "File of our certificate (PEM), for mTLS.",
      &OtlpSignalConfig::client_certificate);
  row("CLIENT_KEY", "client_key", Kind::text, "", "", {}, "File of our private key (PEM), for mTLS.",
      &OtlpSignalConfig::client_key);
}

void add_limits(Rows& rows) {
  const char* group = "Limits";
  const Range counts{0, 1'000'000};
  const Range lengths{0, UINT32_MAX - 1};
  const auto row = [&](const char* name, const char* key, const char* default_text, Range range, const char* help,
                       auto member) {
    add(rows, group, name, std::string("limits.") + key, Kind::count, default_text, "", range, help,
        [member](Config& c) { return &(c.limits.*member); });
  };
  row("OTEL_ATTRIBUTE_COUNT_LIMIT", "attribute_count", "128", counts, "Attributes of one span or log record.",
      &LimitsConfig::attribute_count);
  row("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "attribute_value_length", "no limit", lengths,
      "Characters (bytes of a byte array) of one attribute value; the rest is cut.",
      &LimitsConfig::attribute_value_length);
  row("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "span_attribute_count", "128", counts, "Attributes of one span.",
      &LimitsConfig::span_attribute_count);
  row("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "span_attribute_value_length", "no limit", lengths,
      "Characters of one attribute value of a span.", &LimitsConfig::span_attribute_value_length);
  row("OTEL_SPAN_EVENT_COUNT_LIMIT", "span_event_count", "128", counts, "Events of one span.",
      &LimitsConfig::span_event_count);
  row("OTEL_SPAN_LINK_COUNT_LIMIT", "span_link_count", "128", counts, "Links of one span.",
      &LimitsConfig::span_link_count);
  row("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "event_attribute_count", "128", counts, "Attributes of one event.",
      &LimitsConfig::event_attribute_count);
  row("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "link_attribute_count", "128", counts, "Attributes of one link.",
      &LimitsConfig::link_attribute_count);
  row("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "log_attribute_count", "128", counts, "Attributes of one log record.",
      &LimitsConfig::log_attribute_count);
  row("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "log_attribute_value_length", "no limit", lengths,
      "Characters of one attribute value of a log record.", &LimitsConfig::log_attribute_value_length);
}

void add_batch(Rows& rows, const char* prefix, const char* key, const char* what, BatchConfig Config::*batch) {
  const char* group = "Batching";
  const auto row = [&](const char* name, const char* leaf, Kind kind, const char* default_text, Range range,
                       const std::string& help, auto member) {
    add(rows, group, std::string(prefix) + name, std::string(key) + "." + leaf, kind, default_text, "", range, help,
        [batch, member](Config& c) { return &((c.*batch).*member); });
  };
  row("SCHEDULE_DELAY", "schedule_delay", Kind::duration, "as ARCA_SCHEDULE_DELAY", {1, ms_max},
      std::string("Age at which ") + what + " are sent; the shorter of the two, unless ARCA_SCHEDULE_DELAY is set.",
      &BatchConfig::schedule_delay);
  row("EXPORT_TIMEOUT", "export_timeout", Kind::duration, "30s", {1, ms_max},
      "Read, but without effect: an export is repeated until it succeeds.", &BatchConfig::export_timeout);
  row("MAX_QUEUE_SIZE", "max_queue_size", Kind::count, "2048", {1, UINT32_MAX},
      "Read, but without effect: the pool is bounded in bytes (ARCA_POOL_SIZE).", &BatchConfig::max_queue_size);
  row("MAX_EXPORT_BATCH_SIZE", "max_export_batch_size", Kind::count, "512", {1, UINT32_MAX},
      "Read, but without effect: a request is one chunk.", &BatchConfig::max_export_batch_size);
}

void add_keeping(Rows& rows) {
  const char* group = "Keeping";
  add(rows, group, "ARCA_STATE_DIRECTORY", "state_directory", Kind::text,
      "$XDG_STATE_HOME/arca, ~/.local/state/arca, or /var/lib/arca for root", "", {},
      "Where writers keep what is not delivered; processes that share it recover each other's.",
      [](Config& c) { return &c.state_directory; });
  add(rows, group, "ARCA_POOL_SIZE", "pool_size", Kind::size, "64MiB", "", {mebi, 64 * gibi},
      "Bytes of mapped chunks of one process.", [](Config& c) { return &c.pool_size; });
  add(rows, group, "ARCA_POOL_DIRECTORY", "pool_directory", Kind::text, "/dev/shm, else the state directory", "", {},
      "Where the pool's file is made.", [](Config& c) { return &c.pool_directory; });
  add(rows, group, "ARCA_JOURNAL_SIZE", "journal_size", Kind::size, "4GiB, or a tenth of the free disk if that is less",
      "", {mebi, 1024 * 1024 * gibi}, "Bytes of the journal of one process.",
      [](Config& c) { return &c.journal_size; });
  add(rows, group, "ARCA_QUARANTINE_SIZE", "quarantine_size", Kind::size, "256MiB", "", {mebi, 1024 * gibi},
      "Bytes of chunks that the Collector rejected for good.", [](Config& c) { return &c.quarantine_size; });
  add(rows, group, "ARCA_DURABILITY", "durability", Kind::choice, "process", "process, power", {},
      "Which crash the journal survives at once: of the process, or of the power supply (a sync for each append).",
      [](Config& c) { return &c.durability; });
  add(rows, group, "ARCA_WHEN_FULL", "when_full", Kind::choice, "refuse", "refuse, block", {},
      "When pool and journal are full: refuse the newest record and count it, or make the caller wait.",
      [](Config& c) { return &c.when_full; });
  add(rows, group, "ARCA_BLOCK_TIMEOUT", "block_timeout", Kind::duration, "1s", "", {1, 3'600'000},
      "With ARCA_WHEN_FULL=block: how long a caller waits before its record is refused.",
      [](Config& c) { return &c.block_timeout; });
  add(rows, group, "ARCA_HIGH_WATER", "high_water", Kind::ratio, "0.5", "", {},
      "Share of the pool, above 0 and at most 1, from which on chunks are moved to the journal; while the Collector "
      "takes what it can, from halfway between this and 1.",
      [](Config& c) { return &c.high_water; });
  add(rows, group, "ARCA_SCHEDULE_DELAY", "schedule_delay", Kind::duration, "1s", "", {1, 3'600'000},
      "Age at which records of a chunk that is not full are sent.", [](Config& c) { return &c.schedule_delay; });
  add(rows, group, "ARCA_REQUESTS_IN_FLIGHT", "requests_in_flight", Kind::count, "8", "", {1, 64},
      "Requests to the Collector at the same time.", [](Config& c) { return &c.requests_in_flight; });
  add(rows, group, "ARCA_SHUTDOWN_TIMEOUT", "shutdown_timeout", Kind::duration, "5s", "", {1, 3'600'000},
      "How long the owner's destructor tries to deliver; what is left is kept and sent by the next start.",
      [](Config& c) { return &c.shutdown_timeout; });
  add(rows, group, "ARCA_RECOVERY_ENABLED", "recovery.enabled", Kind::boolean, "true", "", {},
      "Whether this process delivers what dead writers of the same state directory left.",
      [](Config& c) { return &c.recovery.enabled; });
  add(rows, group, "ARCA_RECOVERY_BYTES_PER_SECOND", "recovery.bytes_per_second", Kind::size, "200MiB", "",
      {0, 64 * gibi}, "Rate limit of recovery; 0 means none.", [](Config& c) { return &c.recovery.bytes_per_second; });
  add(rows, group, "ARCA_RECOVERY_SCAN_INTERVAL", "recovery.scan_interval", Kind::duration, "5s", "", {10, ms_max},
      "How often to look for dead writers.", [](Config& c) { return &c.recovery.scan_interval; });
}

void add_cassandra_connection(Rows& rows) {
  const auto row = [&](const char* name, const char* key, Kind kind, const char* default_text, const char* allowed,
                       Range range, const char* help, auto member) {
    add(rows, "Cassandra", std::string("ARCA_CASSANDRA_") + name, std::string("cassandra.") + key, kind, default_text,
        allowed, range, help, [member](Config& c) { return &(c.cassandra.*member); });
  };
  using C = CassandraConfig;
  row("CONTACT_POINTS", "contact_points", Kind::text, "", "", {},
      "Nodes to begin with: host or host:port, with commas between; the others are found. Empty: no Cassandra is used.",
      &C::contact_points);
  row("LOCAL_DATACENTER", "local_datacenter", Kind::text, "the only one", "", {},
      "The datacenter of this host: its nodes are asked, its parked chunks recovered. A cluster of several needs it.",
      &C::local_datacenter);
  row("USER", "user", Kind::text, "", "", {}, "The role to log in as; empty: without authentication.", &C::user);
  row("PASSWORD", "password", Kind::text, "", "", {}, "Its password; never shown anywhere.", &C::password);
  row("PASSWORD_FILE", "password_file", Kind::text, "", "", {},
      "A file whose first line is the password; instead of the password itself.", &C::password_file);
  row("TLS", "tls", Kind::boolean, "false, or true with a certificate", "", {}, "Whether connections are encrypted.",
      &C::tls);
  row("CERTIFICATE", "certificate", Kind::text, "the system's", "", {}, "File of the trusted certificates (PEM).",
      &C::certificate);
  row("CLIENT_CERTIFICATE", "client_certificate", Kind::text, "", "", {},
      "File of our certificate (PEM), for nodes that ask for one.", &C::client_certificate);
  row("CLIENT_KEY", "client_key", Kind::text, "", "", {}, "File of our private key (PEM), for the same.",
      &C::client_key);
  row("CHECK_HOST_NAME", "check_host_name", Kind::boolean, "true", "", {},
      "With TLS: whether a node's certificate must carry its name or address.", &C::check_host_name);
  row("CONSISTENCY", "consistency", Kind::choice, "local_quorum", "local_quorum, quorum, each_quorum, all", {},
      "How many replicas must have acknowledged a chunk before it counts as parked. With less than a quorum recovery "
      "could miss it, and call it delivered.",
      &C::consistency);
  row("REQUESTS_IN_FLIGHT", "requests_in_flight", Kind::count, "64", "", {1, 1024},
      "Requests to the cluster at the same time.", &C::requests_in_flight);
  row("REQUEST_TIMEOUT", "request_timeout", Kind::duration, "15s", "", {100, 15'000},
      "How long one request may take. Recovery relies on none taking longer than 20 s.", &C::request_timeout);
  row("DRIVER", "driver", Kind::text, "libarca_cql.so beside libarca, or where the linker looks", "", {},
      "Path of the driver's library.", &C::driver);
}

void add_cassandra_tables(Rows& rows) {
  const auto row = [&](const char* name, const char* key, Kind kind, const char* default_text, const char* allowed,
                       Range range, const char* help, auto member) {
    add(rows, "Cassandra", std::string("ARCA_CASSANDRA_") + name, std::string("cassandra.") + key, kind, default_text,
        allowed, range, help, [member](Config& c) { return &(c.cassandra.*member); });
  };
  using C = CassandraConfig;
  row("KEYSPACE", "keyspace", Kind::text, "otel_traces", "", {},
      "Where the tables are: a lower-case letter, then letters, digits and _; 48 at most.", &C::keyspace);
  row("REPLICATION_CLASS", "replication_class", Kind::choice, "SimpleStrategy",
      "SimpleStrategy, NetworkTopologyStrategy", {}, "How a new keyspace is replicated.", &C::replication_class);
  row("REPLICATION_FACTOR", "replication_factor", Kind::text, "3", "", {},
      "Copies of each row in a new keyspace; with NetworkTopologyStrategy also for each datacenter: dc1:3,dc2:3.",
      &C::replication_factor);
  row("ROW_TTL", "row_ttl", Kind::duration, "7d", "", {1000, ttl_ms_max},
      "How long rows for look-up stay; of new tables. Not longer than chunks.", &C::row_ttl);
  row("CHUNK_TTL", "chunk_ttl", Kind::duration, "14d", "", {1000, ttl_ms_max},
      "How long parked chunks stay, delivered or not; of new tables. Longer than any outage.", &C::chunk_ttl);
  row("APPLY_SCHEMA", "apply_schema", Kind::boolean, "true", "", {},
      "Whether a process creates the keyspace and tables that are missing when it starts.", &C::apply_schema);
  row("ROWS", "rows", Kind::boolean, "true", "", {}, "Whether parked spans are also written as rows for look-up.",
      &C::rows);
  row("ROWS_PER_SECOND", "rows_per_second", Kind::count, "0", "", {0, 10'000'000}, "Rate limit of rows; 0 means none.",
      &C::rows_per_second);
  row("ALSO_STORE", "also_store", Kind::choice, "none", "none, all", {},
      "all: what the Collector takes is stored, too, so that Cassandra has every trace, but for what it missed while "
      "it "
      "was away longer than there was room to wait for it; that is counted.",
      &C::also_store);
  row("RECOVERY", "recovery", Kind::boolean, "true", "", {},
      "Whether this process delivers what it finds parked, of any writer. Several may.", &C::recovery);
  row("SCAN_INTERVAL", "scan_interval", Kind::duration, "5s", "", {10, ms_max}, "How often to look for parked chunks.",
      &C::scan_interval);
}

}  // namespace

const std::vector<Variable>& variables() {
  static const Rows rows = [] {
    Rows list;
    add_general(list);
    add_signals(list);
    for (const OtlpForm& form : otlp_forms()) add_otlp(list, form);
    add_limits(list);
    add_batch(list, "OTEL_BSP_", "span_batch", "spans", &Config::span_batch);
    add_batch(list, "OTEL_BLRP_", "log_batch", "log records", &Config::log_batch);
    add_keeping(list);
    add_cassandra_connection(list);
    add_cassandra_tables(list);
    return list;
  }();
  return rows;
}

const Variable* find_by_key(std::string_view key) noexcept {
  for (const Variable& variable : variables()) {
    if (variable.key == key) return &variable;
  }
  return nullptr;
}

}  // namespace arca::telemetry
