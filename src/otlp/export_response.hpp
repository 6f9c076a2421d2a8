// The retry tables of the OTLP specification as code: an answer becomes a verdict. One function per protocol.
// Specification: opentelemetry-proto docs/specification.md, "Failures", "Partial Success", "Throttling".
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "model/ack.hpp"

namespace arca::otlp {

// The longest wait that we let a server impose.
inline constexpr base::Duration retry_after_max = std::chrono::minutes(5);

struct Answer {
  model::Ack ack;
  bool too_large = false;  // the request must be split before it is sent again (413, or gRPC's size limit)
};

// "UNAVAILABLE" and so on.
std::string grpc_name(int status);

// `details` is the google.rpc.Status of grpc-status-details-bin (may be empty or rubbish).
Answer read_grpc_answer(const model::ChunkId& id, model::Signal signal, int grpc_status, std::string_view message,
                        base::Bytes details, base::Bytes body);
Answer read_http_answer(const model::ChunkId& id, model::Signal signal, int http_status,
                        std::optional<base::Duration> retry_after, std::string_view reason, base::Bytes body);

}  // namespace arca::otlp
