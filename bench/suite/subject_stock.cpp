// The peer: stock opentelemetry-cpp, BatchSpanProcessor and OTLP/gRPC exporter, as its documentation sets it up.
#include <opentelemetry/exporters/otlp/otlp_grpc_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_grpc_exporter_options.h>
#include <opentelemetry/exporters/otlp/otlp_recordable.h>
#include <opentelemetry/sdk/trace/batch_span_processor_factory.h>
#include <opentelemetry/sdk/trace/batch_span_processor_options.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/sdk/trace/tracer_provider_factory.h>

#include "malloc_count.hpp"
#include "subject.hpp"

namespace sdk = opentelemetry::sdk::trace;
namespace otlp = opentelemetry::exporter::otlp;

namespace {

// Records as the OTLP exporter does, then throws the span away: the caller's cost without any queue.
class DropProcessor final : public sdk::SpanProcessor {
 public:
  std::unique_ptr<sdk::Recordable> MakeRecordable() noexcept override {
    return std::make_unique<otlp::OtlpRecordable>();
  }
  void OnStart(sdk::Recordable&, const opentelemetry::trace::SpanContext&) noexcept override {}
  void OnEnd(std::unique_ptr<sdk::Recordable>&&) noexcept override {}
  bool ForceFlush(std::chrono::microseconds) noexcept override { return true; }
  bool Shutdown(std::chrono::microseconds) noexcept override { return true; }
};

}  // namespace

std::uint64_t bench::mallocs_of(trace::Tracer& tracer, std::uint64_t spans) {
  const Values values;
  counting_mallocs = true;
  for (std::uint64_t i = 0; i < spans; ++i) typical_span(tracer, values, i);
  counting_mallocs = false;
  return malloc_count;
}

int main(int count, char** words) {
  const bench::Arguments arguments = bench::parse(count, words);
  std::unique_ptr<sdk::SpanProcessor> processor;
  if (arguments.null_export) {
    processor = std::make_unique<DropProcessor>();
  } else {
    otlp::OtlpGrpcExporterOptions exporter;
    exporter.endpoint = arguments.endpoint;
    exporter.use_ssl_credentials = false;
    processor = sdk::BatchSpanProcessorFactory::Create(otlp::OtlpGrpcExporterFactory::Create(exporter),
                                                       sdk::BatchSpanProcessorOptions{});
  }
  std::shared_ptr<sdk::TracerProvider> provider(
      static_cast<sdk::TracerProvider*>(sdk::TracerProviderFactory::Create(std::move(processor)).release()));
  bench::Pipeline pipeline;
  pipeline.tracer = provider->GetTracer("bench", "1");
  pipeline.flush = [&](double seconds) {
    return provider->ForceFlush(std::chrono::microseconds(static_cast<long>(seconds * 1e6)));
  };
  pipeline.shutdown = [&] { provider->Shutdown(); };
  return bench::run_subject(arguments, pipeline);
}
