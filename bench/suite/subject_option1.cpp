// The subject: the stock SDK with its BatchSpanProcessor, and arca::CassandraSpanExporter behind it: the
// specification's option 1. Its queue is larger than the default, which holds 2,048 spans: 5 ms at the rates that are
// measured.
#include <opentelemetry/sdk/resource/resource.h>
#include <opentelemetry/sdk/trace/batch_span_processor_factory.h>
#include <opentelemetry/sdk/trace/batch_span_processor_options.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/sdk/trace/tracer_provider_factory.h>

#include "arca/cassandra_exporter.hpp"
#include "malloc_count.hpp"
#include "subject.hpp"

namespace sdk = opentelemetry::sdk::trace;

std::uint64_t bench::mallocs_of(trace::Tracer& /*tracer*/, std::uint64_t /*spans*/) { return 0; }

int main(int count, char** words) {
  const bench::Arguments arguments = bench::parse(count, words);
  arca::Config config;
  config.service_name = "bench";
  if (!arguments.state_directory.empty()) config.state_directory = arguments.state_directory;
  auto exporter = arca::make_cassandra_span_exporter(config);
  if (!exporter) {
    std::fprintf(stderr, "subject_option1: %s\n", exporter.error().message().c_str());
    return 1;
  }
  const arca::CassandraSpanExporter& behind = **exporter;
  sdk::BatchSpanProcessorOptions batches;
  batches.max_queue_size = 1U << 17U;
  batches.max_export_batch_size = 4096;
  batches.schedule_delay_millis = std::chrono::milliseconds(100);
  std::shared_ptr<sdk::TracerProvider> provider(static_cast<sdk::TracerProvider*>(
      sdk::TracerProviderFactory::Create(sdk::BatchSpanProcessorFactory::Create(std::move(*exporter), batches),
                                         opentelemetry::sdk::resource::Resource::Create({{"service.name", "bench"}}))
          .release()));
  bench::Pipeline pipeline;
  pipeline.tracer = provider->GetTracer("bench", "1");
  const bench::Values values;
  for (std::uint64_t i = 0; i < 64; ++i) bench::typical_span(*pipeline.tracer, values, i);  // finds the way there
  if (!provider->ForceFlush(std::chrono::seconds(60))) {
    std::fprintf(stderr, "subject_option1: nothing could be parked: %s\n", arca::to_json(behind.status()).c_str());
    return 1;
  }
  const std::uint64_t before = behind.status().traces.parked;
  std::uint64_t parked = 0;
  std::uint64_t accepted = 0;
  pipeline.flush = [&](double seconds) {
    const bool flushed = provider->ForceFlush(std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6)));
    parked = behind.status().traces.parked - before;
    accepted = behind.status().traces.accepted - before;
    return flushed;
  };
  pipeline.more = [&] { return ",\"parked\":" + std::to_string(parked) + ",\"accepted\":" + std::to_string(accepted); };
  pipeline.shutdown = [&] { provider->Shutdown(); };
  return bench::run_subject(arguments, pipeline);
}
