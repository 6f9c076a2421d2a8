// Requests for the tests of the Cassandra tier, built by the official protobuf classes.
#pragma once

#include <opentelemetry/proto/collector/trace/v1/trace_service.pb.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/chunk.hpp"

namespace arca::tests {

using TraceRequest = opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;

inline std::string trace_id_of(std::uint64_t number) {
  std::string id(16, '\0');
  for (std::size_t i = 0; i < 8; ++i) id[8 + i] = static_cast<char>(number >> (56 - 8 * i));
  return id;
}
inline std::string span_id_of(std::uint64_t number) { return trace_id_of(number).substr(8); }
inline constexpr std::uint64_t first_start = 1'800'000'000'000'000'000ULL;

struct RequestShape {
  std::uint64_t trace_count = 3;
  std::uint64_t spans_per_trace = 4;
  std::uint64_t first_trace = 1;
  std::size_t text_size = 20;
  std::size_t resource_text_size = 20;
};

// Two services, two scopes in each; the spans of a trace are spread over all of them.
inline TraceRequest trace_request(const RequestShape& shape = {}) {
  TraceRequest request;
  for (std::uint64_t service = 0; service < 2; ++service) {
    auto& resource = *request.add_resource_spans();
    resource.set_schema_url("https://opentelemetry.io/schemas/1.30.0");
    auto& other = *resource.mutable_resource()->add_attributes();
    other.set_key("host.name");
    other.mutable_value()->set_string_value(std::string(shape.resource_text_size, 'h'));
    auto& name = *resource.mutable_resource()->add_attributes();
    name.set_key("service.name");
    name.mutable_value()->set_string_value("service-" + std::to_string(service));
    for (std::uint64_t scope = 0; scope < 2; ++scope) {
      auto& spans = *resource.add_scope_spans();
      spans.mutable_scope()->set_name("scope-" + std::to_string(scope));
      spans.mutable_scope()->set_version("1." + std::to_string(scope));
      spans.set_schema_url("https://opentelemetry.io/schemas/1.2" + std::to_string(scope));
    }
  }
  for (std::uint64_t trace = 0; trace < shape.trace_count; ++trace) {
    for (std::uint64_t i = 0; i < shape.spans_per_trace; ++i) {
      auto& span = *request.mutable_resource_spans(static_cast<int>(i % 2))
                        ->mutable_scope_spans(static_cast<int>(i / 2 % 2))
                        ->add_spans();
      span.set_trace_id(trace_id_of(shape.first_trace + trace));
      span.set_span_id(span_id_of((shape.first_trace + trace) * 100'000 + i + 1));
      if (i > 0) span.set_parent_span_id(span_id_of((shape.first_trace + trace) * 100'000 + 1));
      span.set_name(i == 0 ? "GET /" : "step-" + std::to_string(i % 5));
      span.set_start_time_unix_nano(first_start + trace * 1'000'000 + i * 1000);
      span.set_end_time_unix_nano(first_start + trace * 1'000'000 + i * 1000 + 500'000);
      auto& attribute = *span.add_attributes();
      attribute.set_key("text");
      attribute.mutable_value()->set_string_value(std::string(shape.text_size, 'a'));
      if (i % 4 == 3) span.mutable_status()->set_code(opentelemetry::proto::trace::v1::Status::STATUS_CODE_ERROR);
    }
  }
  return request;
}

inline model::Chunk chunk_of(const TraceRequest& request, std::uint64_t sequence, std::uint64_t writer = 7) {
  std::uint32_t count = 0;
  for (const auto& resource : request.resource_spans())
    for (const auto& scope : resource.scope_spans()) count += static_cast<std::uint32_t>(scope.spans_size());
  return {.id = {model::WriterId{writer}, sequence},
          .signal = model::Signal::traces,
          .item_count = count,
          .sealed_at = base::WallTime(std::chrono::nanoseconds(first_start)),
          .payload = model::Payload::copy_of(base::as_bytes(request.SerializeAsString()))};
}

}  // namespace arca::tests
