// The defaults of CollectorSink's two seams: otlp's own readers and splitter.
#include <utility>

#include "otlp/request_split.hpp"
#include "sinks/collector_sink.hpp"

namespace arca::sinks {

ReadAnswer answer_reader(net::Protocol protocol) {
  if (protocol == net::Protocol::grpc) {
    return [](const model::ChunkId& id, model::Signal signal, const net::Response& response) {
      return otlp::read_grpc_answer(id, signal, response.status, response.message, response.grpc_status_details,
                                    response.body);
    };
  }
  return [](const model::ChunkId& id, model::Signal signal, const net::Response& response) {
    return otlp::read_http_answer(id, signal, response.status, response.retry_after, response.message, response.body);
  };
}

SplitRequest request_splitter() {
  return [](const Part& part, model::Signal signal) -> std::optional<std::array<Part, 2>> {
    const std::vector<std::byte> flat = part.payload.flatten();  // once in a while, so the copy does not matter
    auto halves = otlp::split_request(signal, flat);
    if (!halves) return std::nullopt;
    const auto part_of = [](otlp::RequestHalf& half) {
      return Part{model::Payload::own(std::move(half.request)), half.item_count};
    };
    return std::array<Part, 2>{part_of(halves->first), part_of(halves->second)};
  };
}

}  // namespace arca::sinks
