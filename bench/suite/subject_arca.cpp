// The subject: Arca's own provider behind the official API, with everything that it promises switched on.
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
  pipeline.flush = [&](double seconds) {
    const auto until = bench::now_ns() + static_cast<std::uint64_t>(seconds * 1e9);
    // Delivered means the Collector has it: what was spilled to disk must be drained too.
    while (bench::now_ns() < until) {
      const auto report = (*telemetry)->force_flush(std::chrono::milliseconds(1000));
      if (report.outcome == arca::FlushOutcome::delivered) return true;
      bench::sleep_until_ns(bench::now_ns() + 5'000'000);
    }
    return false;
  };
  pipeline.shutdown = [&] { telemetry->reset(); };
  return bench::run_subject(arguments, pipeline);
}
