#include "cli/query/query_command.hpp"

#include <CLI/CLI.hpp>

#include "arca/config.hpp"
#include "cli/query/cassandra_place.hpp"
#include "cli/query/journal_place.hpp"
#include "cli/query/pool_place.hpp"
#include "cli/query/query.hpp"
#include "cli/query/query_text.hpp"
#include "cli/state_directory.hpp"
#include "cli/units.hpp"
#include "os/environment.hpp"
#include "os/log.hpp"
#include "telemetry/cassandra_config.hpp"

namespace arca::cli {

namespace {

using namespace query;

constexpr std::size_t limit_max = 1'000'000;

class QueryCommand final : public Command {
 public:
  [[nodiscard]] const CommandText& text() const override { return query_text(); }

  void add_options(CLI::App& app) override {
    app.add_option("WHAT", words_.subject, "services, operations, traces, trace, logs or metrics")->required();
    app.add_option("ID", words_.id, "Behind trace: which one, 32 hexadecimal digits");
    add_conditions(app);
    app.add_option("--limit", words_.limit,
                   "How many lines at most, the newest; without it 20 traces, 100 log records, 200 time series, 1000 "
                   "names; for trace, spans (5000)")
        ->type_name("NUMBER")
        ->check(CLI::Range(std::size_t{1}, limit_max).description(""));
    app.add_flag("--json", words_.json, "Prints OTLP JSON, one export request a line");
    app.add_flag("--follow,-f", words_.follow, "Goes on with what is new until told to stop; traces, logs, metrics");
    app.add_flag("--details", words_.details, "trace: also attributes, ids, stack traces; cuts nothing");
    app.add_option("--from", from_,
                   "Only these places, of cassandra, journal, pool, quarantine; without it all there are")
        ->type_name("PLACES")
        ->delimiter(',')
        ->check(CLI::Validator(check_place, ""));
    app.add_option("--state", state_, "The state directory; without it, as ARCA_STATE_DIRECTORY and the defaults say")
        ->type_name("DIRECTORY");
    app.add_option("--scan-limit", scan_max_, "Stops after reading so many bytes")
        ->type_name("SIZE")
        ->check(CLI::Validator(check_bytes, ""))
        ->capture_default_str();
    app.add_option("--timeout", timeout_, "How long to wait for Cassandra, to connect and for each step")
        ->type_name("TIME")
        ->check(CLI::Validator(check_duration, ""))
        ->capture_default_str();
    app.add_option("--width", columns_,
                   "Columns to draw in; without it those of the terminal, else of COLUMNS, else 100")
        ->type_name("NUMBER");
    app.add_flag("--ascii", ascii_, "Draws with ASCII only, for terminals that know no UTF-8");
  }

  int run(Console& console) override {
    os::SystemClock clock;
    const auto query = make_query(words_, clock.wall_now());
    if (!query) {
      return console.error("query", query.error().message(), "Run `arca query --help` to see what is allowed.",
                           ExitCode::usage);
    }
    Config wishes;
    if (!state_.empty()) {
      const auto directory = resolve_state_directory(state_);
      if (!directory) return console.error("query", directory.error().message(), "", ExitCode::usage);
      wishes.state_directory = *directory;
    }
    const auto settings = finalize(wishes);
    if (!settings) {
      return console.error("query", settings.error().message(), "Correct the configuration.", ExitCode::usage);
    }
    auto places = make_places(**settings, clock);
    if (!places) {
      return console.error("query", places.error().message(), "Check --state, --from and the configuration.",
                           places.error().code() == ErrorCode::not_found ? ExitCode::failure : ExitCode::usage);
    }
    os::set_log_level(os::LogLevel::warn);  // that it has connected is no answer to the question
    TelemetryStore store(std::move(*places), parse_bytes(scan_max_).value_or(0));
    const Screen screen = Screen::of(console, os::SystemEnvironment(), columns_, ascii_);
    return run_query(*query, store, clock, console, screen);
  }

 private:
  static std::string check_place(const std::string& text) {
    for (const Place place : all_places) {
      if (query::to_string(place) == text) return "";
    }
    return "'" + text + "' is no place; allowed: cassandra, journal, pool, quarantine";
  }

  void add_conditions(CLI::App& app) {
    app.add_option("--service", words_.service, "Only of the resource with this service.name")->type_name("NAME");
    app.add_option("--operation", words_.operation, "traces: only spans of this name")->type_name("NAME");
    app.add_option("--since", words_.since, "Only what began at this time or later")->type_name("TIME");
    app.add_option("--until", words_.until, "Only what began before this time")->type_name("TIME");
    app.add_option("--min-duration", words_.duration_min, "traces: only spans that took at least so long")
        ->type_name("TIME");
    app.add_option("--status", words_.status, "traces: only spans of this status: ok, error or unset")
        ->type_name("STATUS");
    app.add_option("--attribute", words_.attributes,
                   "Only with this attribute, of the record or its resource; several must all be there")
        ->type_name("KEY=VALUE")
        ->expected(1)
        ->take_all();
    app.add_option("--severity", words_.severity,
                   "logs: only this severity and worse: trace, debug, info, warn, error, fatal, or 1 to 24")
        ->type_name("NAME");
    app.add_option("--trace", words_.trace, "logs: only those of this trace")->type_name("ID");
    app.add_option("--contains", words_.contains, "logs: only those with this text in their body or event name")
        ->type_name("TEXT");
    app.add_option("--name", words_.metric, "metrics: only of this name; with * at its end, those that begin so")
        ->type_name("NAME");
  }

  [[nodiscard]] bool is_asked(Place place) const {
    return from_.empty() || std::find(from_.begin(), from_.end(), query::to_string(place)) != from_.end();
  }

  Result<std::vector<std::unique_ptr<TelemetryPlace>>> make_places(const Settings& settings, os::Clock& clock) const {
    std::vector<std::unique_ptr<TelemetryPlace>> places;
    const std::string& state = settings.state_directory;
    os::FileSystem& files = os::posix_file_system();
    const bool is_configured = settings.cassandra.is_configured();
    if (!is_configured && from_.size() == 1 && is_asked(Place::cassandra)) {
      return failure(ErrorCode::invalid_config,
                     "no Cassandra is configured: set ARCA_CASSANDRA_CONTACT_POINTS to host or host:port");
    }
    // With Cassandra alone there may be no state directory on this host.
    if (files.exists(state)) {
      if (is_asked(Place::pool)) places.push_back(std::make_unique<PoolPlace>(state, files));
      if (is_asked(Place::journal)) places.push_back(std::make_unique<JournalPlace>(state, files));
      if (is_asked(Place::quarantine)) places.push_back(std::make_unique<QuarantinePlace>(state, files));
    } else if (!is_configured || !state_.empty()) {
      return failure(ErrorCode::not_found, state + " does not exist");
    }
    if (!is_configured) return places;
    const auto connection = telemetry::connection_settings(settings.cassandra);
    if (!connection) return failure(connection.error());
    CassandraOptions options;
    options.connection = *connection;
    options.keyspace = settings.cassandra.keyspace;
    options.timeout = parse_duration(timeout_).value_or(options.timeout);
    options.row_ttl = settings.cassandra.row_ttl;
    const auto access = std::make_shared<CassandraAccess>(std::move(options), clock);
    if (is_asked(Place::cassandra)) places.push_back(std::make_unique<CassandraPlace>(access, clock));
    if (is_asked(Place::quarantine)) places.push_back(std::make_unique<CassandraQuarantinePlace>(access));
    return places;
  }

  QueryWords words_;
  std::vector<std::string> from_;
  std::string state_;
  std::string scan_max_ = "8GiB";
  std::string timeout_ = "10s";
  std::size_t columns_ = 0;
  bool ascii_ = false;
};

}  // namespace

std::unique_ptr<Command> make_query_command() { return std::make_unique<QueryCommand>(); }

}  // namespace arca::cli
