#include "cli/schema_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "arca/config.hpp"
#include "cassandra/cql_client.hpp"
#include "cassandra/schema.hpp"
#include "cli/terminal_text.hpp"
#include "cli/units.hpp"
#include "telemetry/cassandra_config.hpp"

namespace arca::cli {

namespace {

using Json = nlohmann::ordered_json;
using std::chrono::milliseconds;

class SchemaCommand final : public Command {
 public:
  [[nodiscard]] const CommandText& text() const override {
    static const CommandText text{
        "schema",
        "prints, creates or compares the tables that overflow is parked in",
        "The keyspace and the tables of the Cassandra tier, as ARCA_CASSANDRA_KEYSPACE, _REPLICATION_CLASS, "
        "_REPLICATION_FACTOR, _ROW_TTL and _CHUNK_TTL describe them.\n\n"
        "  arca schema print     prints the statements; needs no cluster\n"
        "  arca schema apply     creates what is missing; several may do so at once\n"
        "  arca schema check     compares; changes nothing\n\n"
        "A table that differs is never altered: each difference is named with what it should be. How the cluster is "
        "reached is configured by the same variables as in an instrumented process (ARCA_CASSANDRA_*).",
        {{"Makes a file for whoever may create tables", "arca schema print > schema.cql"},
         {"Prepares a cluster", "ARCA_CASSANDRA_CONTACT_POINTS=cassandra-1 arca schema apply"},
         {"For a script, before an upgrade", "arca schema check --json"}},
        {{ExitCode::ok, "everything is there and fits"},
         {ExitCode::failure, "something differs, or the cluster refused a statement"},
         {ExitCode::usage, ""},
         {ExitCode::not_reachable, "no node answers"},
         {ExitCode::incomplete, "something is missing"}},
        {"arca-recover(1)", "arca-status(1)"}};
    return text;
  }

  void add_options(CLI::App& app) override {
    app.add_option("ACTION", action_, "What to do: print, apply or check")
        ->required()
        ->check(CLI::IsMember({"print", "apply", "check"}));
    app.add_option("--timeout", timeout_, "How long to try to reach the cluster, and to wait for each answer")
        ->type_name("TIME")
        ->check(CLI::Validator(check_duration, ""))
        ->capture_default_str();
    app.add_flag("--json", json_, "Prints the result as JSON");
  }

  int run(Console& console) override {
    const auto config = finalize(Config{});
    if (!config) {
      return console.error("schema", config.error().message(), "Correct the configuration.", ExitCode::usage);
    }
    const CassandraSettings& settings = (*config)->cassandra;
    const cassandra::SchemaSettings schema = telemetry::schema_settings(settings);
    if (action_ == "print") {
      print_statements(schema, console);
      return to_int(ExitCode::ok);
    }
    if (!settings.is_configured()) {
      return console.error("schema", "no Cassandra is configured",
                           "Set ARCA_CASSANDRA_CONTACT_POINTS to host or host:port.", ExitCode::usage);
    }
    const auto connection = telemetry::connection_settings(settings);
    if (!connection) {
      return console.error("schema", connection.error().message(), "Correct the configuration.", ExitCode::usage);
    }
    const auto client = cassandra::CqlClient::open(*connection);
    if (!client) {
      return console.error("schema", client.error().message(),
                           "Install the driver, or name it by ARCA_CASSANDRA_DRIVER.", ExitCode::usage);
    }
    const auto timeout =
        std::chrono::duration_cast<milliseconds>(parse_duration(timeout_).value_or(std::chrono::seconds(30)));
    if (const auto reached = (*client)->wait_connected(timeout); !reached) {
      return console.error("the cluster cannot be reached", reached.error().message(),
                           "Check ARCA_CASSANDRA_CONTACT_POINTS, the login and the certificates.",
                           ExitCode::not_reachable);
    }
    const auto report = action_ == "apply" ? cassandra::apply_schema(**client, schema, timeout)
                                           : cassandra::check_schema(**client, schema, timeout);
    if (!report) {
      return console.error("schema", report.error().message(), "Check the rights of the role, and the nodes.",
                           ExitCode::failure);
    }
    return show(*report, console);
  }

 private:
  void print_statements(const cassandra::SchemaSettings& schema, Console& console) const {
    const std::vector<std::string> statements = cassandra::schema_statements(schema);
    if (json_) {
      console.print(Json(statements).dump(2));
      return;
    }
    for (const std::string& statement : statements) console.print(statement + ";");
  }

  int show(const cassandra::SchemaReport& report, Console& console) const {
    if (json_) {
      console.print(Json{{"fits", report.fits()},
                         {"missing", report.missing},
                         {"differences", report.differences},
                         {"notes", report.notes}}
                        .dump(2));
    } else {
      for (const std::string& missing : report.missing) console.print("missing: " + printable(missing));
      for (const std::string& difference : report.differences) console.print("differs: " + printable(difference));
      for (const std::string& note : report.notes) console.print("note: " + printable(note));
      if (report.fits()) console.print("everything is there and fits");
    }
    if (!report.differences.empty()) return to_int(ExitCode::failure);
    return to_int(report.complete() ? ExitCode::ok : ExitCode::incomplete);
  }

  std::string action_;
  std::string timeout_ = "30s";
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_schema_command() { return std::make_unique<SchemaCommand>(); }

}  // namespace arca::cli
