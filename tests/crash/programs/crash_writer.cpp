// The writer that the crash tests kill: records spans (even threads) and log records (odd threads) as fast as asked,
// each with the attributes test.stream and test.seq, and writes down what was accepted. It can end itself with
// SIGKILL at the n-th passing of a named point, and it can fork children that record streams of their own.
#include <opentelemetry/logs/provider.h>
#include <opentelemetry/trace/provider.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "arca/telemetry.hpp"
#include "crash/oracle_file.hpp"
#include "crash/point_hook.hpp"
#include "crash/quick_timing.hpp"

namespace {

namespace trace = opentelemetry::trace;
namespace logs = opentelemetry::logs;
using arca::crash::OracleFile;

struct Options {
  std::string state, endpoint, oracle, name, point;
  std::uint64_t nth = 1, threads = 2, records = UINT64_MAX, pause_every = 0, children = 0, padding = 0;
  std::uint64_t pool = 4U << 20U, journal = 256U << 20U;
  int chunk_ttl_s = 0;              // 0: the default
  std::string cassandra, keyspace;  // contact points; empty: no such tier
  std::string end;  // abort, exec, exit: how it ends by itself once all records are made; empty: it waits to be killed
};

Options parse(int count, char** words) {
  Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string key = words[i];
    const std::string value = words[i + 1];
    if (key == "--state")
      options.state = value;
    else if (key == "--endpoint")
      options.endpoint = value;
    else if (key == "--oracle")
      options.oracle = value;
    else if (key == "--name")
      options.name = value;
    else if (key == "--point")
      options.point = value;
    else if (key == "--nth")
      options.nth = std::stoull(value);
    else if (key == "--threads")
      options.threads = std::stoull(value);
    else if (key == "--records")
      options.records = std::stoull(value);
    else if (key == "--pause-every")
      options.pause_every = std::stoull(value);
    else if (key == "--padding")
      options.padding = std::stoull(value);
    else if (key == "--children")
      options.children = std::stoull(value);
    else if (key == "--pool")
      options.pool = std::stoull(value);
    else if (key == "--journal")
      options.journal = std::stoull(value);
    else if (key == "--cassandra")
      options.cassandra = value;
    else if (key == "--chunk-ttl")
      options.chunk_ttl_s = std::stoi(value);
    else if (key == "--keyspace")
      options.keyspace = value;
    else if (key == "--end")
      options.end = value;
    else {
      std::fprintf(stderr, "crash_writer: unknown option %s\n", key.c_str());
      std::exit(2);
    }
  }
  return options;
}

std::string stream_name(const Options& options, std::uint64_t stream) {
  return options.name + "." + std::to_string(stream);
}

void record_spans(const Options& options, OracleFile& oracle, std::uint64_t stream) {
  const auto tracer = trace::Provider::GetTracerProvider()->GetTracer("crash");
  const std::string name = stream_name(options, stream);
  const std::string padding(options.padding, 'x');
  for (std::uint64_t i = 0; i < options.records; ++i) {
    const auto span = tracer->StartSpan("work");
    span->SetAttribute("test.stream", name);
    span->SetAttribute("test.seq", static_cast<std::int64_t>(i));
    if (!padding.empty()) span->SetAttribute("padding", padding);
    span->End();
    oracle->accepted[stream].store(i + 1, std::memory_order_release);
    if (options.pause_every != 0 && i % options.pause_every == 0) usleep(1000);
  }
}

void record_logs(const Options& options, OracleFile& oracle, std::uint64_t stream) {
  const auto logger = logs::Provider::GetLoggerProvider()->GetLogger("crash");
  const std::string name = stream_name(options, stream);
  const std::string padding(options.padding, 'x');
  for (std::uint64_t i = 0; i < options.records; ++i) {
    auto record = logger->CreateLogRecord();
    record->SetBody("work was done");
    record->SetSeverity(logs::Severity::kInfo);
    record->SetAttribute("test.stream", name);
    record->SetAttribute("test.seq", static_cast<std::int64_t>(i));
    if (!padding.empty()) record->SetAttribute("padding", padding);
    logger->EmitLogRecord(std::move(record));
    oracle->accepted[stream].store(i + 1, std::memory_order_release);
    if (options.pause_every != 0 && i % options.pause_every == 0) usleep(1000);
  }
}

// How a worker of a pre-forking server may end, chosen by its number: in order, or without a word.
[[noreturn]] void end_child(arca::Telemetry& telemetry, std::uint64_t number) {
  if (number % 3 == 1) execl("/bin/true", "true", nullptr);
  if (number % 3 == 2) kill(getpid(), SIGKILL);
  telemetry.shutdown(std::chrono::seconds(3));
  _exit(0);
}

// A child records a stream of its own, and its child one more, begun while both record.
pid_t start_child(const Options& options, OracleFile& oracle, arca::Telemetry& telemetry, std::uint64_t number) {
  const pid_t child = fork();
  if (child != 0) return child;
  Options mine = options;
  mine.records = 500;
  mine.pause_every = 100;
  std::thread beside([&] { record_spans(mine, oracle, options.threads + number); });
  usleep(static_cast<useconds_t>(number * 1000));
  if (fork() == 0) {
    record_spans(mine, oracle, options.threads + options.children + number);
    end_child(telemetry, number + 1);
  }
  beside.join();
  end_child(telemetry, number);
}

void add_cassandra(const Options& options, arca::Config& config) {
  config.cassandra.contact_points = options.cassandra;
  config.cassandra.keyspace = options.keyspace;
  config.cassandra.replication_factor = "1";
  if (options.chunk_ttl_s > 0) config.cassandra.chunk_ttl = std::chrono::seconds(options.chunk_ttl_s);
  config.cassandra.scan_interval = std::chrono::milliseconds(200);
  config.cassandra.request_timeout = std::chrono::seconds(2);
  config.otlp.timeout = std::chrono::milliseconds(500);
}

void publish(const arca::Telemetry& telemetry, OracleFile& oracle) {
  const arca::Status status = telemetry.status();
  oracle->parked = status.traces.parked + status.logs.parked;
  oracle->unreplicated = status.unreplicated_items;
  oracle->rows_pending = status.cassandra.rows_pending;
  oracle->law_holds = status.holds() ? 1 : 0;
  oracle->status_number += 1;
}

}  // namespace

int main(int count, char** words) {
  const Options options = parse(count, words);
  setpgid(0, 0);  // so that the harness can wait for all children
  OracleFile oracle(options.oracle);
  if (!options.point.empty()) arca::crash::arm({options.point, options.nth, SIGKILL, &oracle});
  arca::cassandra::set_timing(arca::crash::quick_timing());
  arca::Config config;
  config.service_name = "crash-writer";
  config.state_directory = options.state;
  config.otlp.endpoint = "http://" + options.endpoint;
  config.schedule_delay = std::chrono::milliseconds(20);
  config.recovery.scan_interval = std::chrono::milliseconds(100);
  config.pool_size = options.pool;
  config.journal_size = options.journal;
  config.self_metrics = false;
  if (!options.cassandra.empty()) add_cassandra(options, config);
  auto telemetry = arca::Telemetry::start(config);
  if (!telemetry) {
    std::fprintf(stderr, "crash_writer: %s\n", telemetry.error().message().c_str());
    return 1;
  }
  oracle->started.store(1);
  std::thread publisher;  // ends with the process
  if (!options.cassandra.empty()) {
    publisher = std::thread([&] {
      for (;; usleep(2000)) publish(**telemetry, oracle);
    });
  }
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < options.threads; ++t) {
    threads.emplace_back([&, t] {
      if (t % 2 == 0)
        record_spans(options, oracle, t);
      else
        record_logs(options, oracle, t);
    });
  }
  std::vector<pid_t> children;
  for (std::uint64_t c = 0; c < options.children; ++c) {
    children.push_back(start_child(options, oracle, **telemetry, c));
    usleep(2000);
  }
  for (auto& thread : threads) thread.join();
  for (const pid_t child : children) waitpid(child, nullptr, 0);
  if (options.end == "abort") std::abort();
  if (options.end == "exec") execl("/bin/true", "true", nullptr);
  if (options.end == "_exit") _exit(0);
  for (;;) pause();  // until killed
}
