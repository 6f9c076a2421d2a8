// The subject: Arca's own provider behind the official API, with everything that it promises switched on. With the
// ARCA_CASSANDRA_* variables set it has a Cassandra behind it, too; what is then measured is the way there.
#include <cstdlib>

#include "arca/telemetry.hpp"
#include "malloc_count.hpp"
#include "subject.hpp"

std::uint64_t bench::mallocs_of(trace::Tracer& tracer, std::uint64_t spans) {
  const Values values;
  counting_mallocs = true;
  for (std::uint64_t i = 0; i < spans; ++i) typical_span(tracer, values, i);
  counting_mallocs = false;
  return malloc_count;
}

namespace {

bool wait_until(double seconds, const std::function<bool()>& condition) {
  const auto until = bench::now_ns() + static_cast<std::uint64_t>(seconds * 1e9);
  while (!condition()) {
    if (bench::now_ns() >= until) return false;
    bench::sleep_until_ns(bench::now_ns() + 2'000'000);
  }
  return true;
}

// Nothing is left that only this host has: the Collector or Cassandra acknowledged it.
bool is_away(arca::Telemetry& telemetry) {
  static_cast<void>(telemetry.force_flush(std::chrono::milliseconds(10)));
  const arca::Status status = telemetry.status();
  return status.unreplicated_items == 0 && status.traces.in_memory == 0 && status.traces.in_journal == 0;
}

// The outage has begun before the measurement does: the tables are there, the breaker is open, the way is known.
bool warm_up(arca::Telemetry& telemetry, bench::trace::Tracer& tracer) {
  const bench::Values values;
  for (std::uint64_t i = 0; i < 64; ++i) bench::typical_span(tracer, values, i);
  return wait_until(60, [&] { return is_away(telemetry); });
}

std::string account(const arca::Status& begin, const arca::Status& end, double rows_s, std::uint64_t rows) {
  std::array<char, 512> text{};
  std::snprintf(
      text.data(), text.size(),
      ",\"parked\":%llu,\"delivered\":%llu,\"kept\":%llu,\"refused\":%llu,\"lost\":%llu,\"stored_bytes\":%llu,"
      "\"rows\":%llu,\"rows_s\":%.3f",
      static_cast<unsigned long long>(end.traces.parked - begin.traces.parked),
      static_cast<unsigned long long>(end.traces.delivered - begin.traces.delivered),
      static_cast<unsigned long long>(end.traces.in_memory + end.traces.in_journal),
      static_cast<unsigned long long>(end.traces.refused), static_cast<unsigned long long>(end.traces.lost),
      static_cast<unsigned long long>(end.cassandra.parked_bytes - begin.cassandra.parked_bytes),
      static_cast<unsigned long long>(rows), rows_s);
  return text.data();
}

}  // namespace

int main(int count, char** words) {
  const bench::Arguments arguments = bench::parse(count, words);
  arca::Config config;
  config.service_name = "bench";
  config.otlp.endpoint = "http://" + arguments.endpoint;
  if (!arguments.state_directory.empty()) config.state_directory = arguments.state_directory;
  config.self_metrics = false;
  // At full speed the sink is slower than the caller: what it cannot take goes through the journal. Should that get
  // full too, the caller waits, and nothing is refused.
  if (arguments.plan.mode == "max") {
    config.when_full = "block";
    config.block_timeout = std::chrono::seconds(10);
  }
  auto telemetry = arca::Telemetry::start(config);
  if (!telemetry) {
    std::fprintf(stderr, "subject_arca: %s\n", telemetry.error().message().c_str());
    return 1;
  }
  bench::Pipeline pipeline;
  pipeline.tracer = bench::trace::Provider::GetTracerProvider()->GetTracer("bench", "1");
  const bool has_cassandra = std::getenv("ARCA_CASSANDRA_CONTACT_POINTS") != nullptr;
  if (has_cassandra && !warm_up(**telemetry, *pipeline.tracer)) {
    std::fprintf(stderr, "subject_arca: nothing could be parked: %s\n", arca::to_json((*telemetry)->status()).c_str());
    return 1;
  }
  const arca::Status begin = (*telemetry)->status();
  arca::Status end;
  double rows_s = 0;
  std::uint64_t rows = 0;
  pipeline.flush = [&](double seconds) {
    if (has_cassandra) {
      const bool away = wait_until(seconds, [&] { return is_away(**telemetry); });
      end = (*telemetry)->status();
      return away;
    }
    const auto until = bench::now_ns() + static_cast<std::uint64_t>(seconds * 1e9);
    // Delivered means the Collector has it: what was spilled to disk must be drained too.
    while (bench::now_ns() < until) {
      const auto report = (*telemetry)->force_flush(std::chrono::milliseconds(1000));
      if (report.outcome == arca::FlushOutcome::delivered) return true;
      bench::sleep_until_ns(bench::now_ns() + 5'000'000);
    }
    return false;
  };
  if (has_cassandra) {
    pipeline.more = [&] {
      // The rows alone: from the moment when all chunks are parked.
      const std::uint64_t rows_begin = bench::now_ns();
      rows = (*telemetry)->status().cassandra.rows_pending;
      if (arguments.waits_for_rows) {
        if (!wait_until(600, [&] { return (*telemetry)->status().cassandra.rows_pending == 0; })) rows = 0;
        rows_s = static_cast<double>(bench::now_ns() - rows_begin) / 1e9;
      }
      return account(begin, end, rows_s, rows);
    };
  }
  pipeline.shutdown = [&] { telemetry->reset(); };
  return bench::run_subject(arguments, pipeline);
}
