#include "otlp/export_response.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "otlp/utf8.hpp"
#include "otlp/wire_reader.hpp"

namespace arca::otlp {

namespace {

// Peers' texts end in logs and status pages; they get a bounded share of them.
constexpr std::size_t reason_size_max = 512;

std::string readable(std::string_view text) { return replace_ill_formed(text.substr(0, reason_size_max)); }

base::Duration clamp_wait(base::Duration wait) noexcept {
  return std::clamp(wait, base::Duration::zero(), retry_after_max);
}

// google.protobuf.Duration. The clamp on seconds keeps the sum away from overflow.
base::Duration read_duration(base::Bytes message) noexcept {
  std::int64_t seconds = 0;
  std::int64_t nanos = 0;
  for_each_field(message, [&](const Field& field) {
    if (field.is(1, WireType::varint)) seconds = static_cast<std::int64_t>(field.value);
    if (field.is(2, WireType::varint)) nanos = static_cast<std::int32_t>(field.value);
    return true;
  });
  const std::int64_t seconds_max = std::chrono::duration_cast<std::chrono::seconds>(retry_after_max).count() + 10;
  return std::chrono::seconds(std::clamp(seconds, -seconds_max, seconds_max)) + std::chrono::nanoseconds(nanos);
}

// google.rpc.Status with the parts that matter here.
struct RpcStatus {
  std::string_view message{};
  std::optional<base::Duration> retry_delay{};
};

void read_detail(base::Bytes any, RpcStatus& status) noexcept {
  std::string_view type;
  base::Bytes value;
  for_each_field(any, [&](const Field& field) {
    if (field.is(1, WireType::length)) type = field.text();
    if (field.is(2, WireType::length)) value = field.bytes;
    return true;
  });
  if (!type.ends_with("/google.rpc.RetryInfo")) return;
  // A RetryInfo without a delay still says "retry", at once.
  status.retry_delay = base::Duration::zero();
  for_each_field(value, [&](const Field& field) {
    if (field.is(1, WireType::length)) status.retry_delay = read_duration(field.bytes);
    return true;
  });
}

// Reads what can be read; a Status that is damaged anywhere counts as none.
RpcStatus read_status(base::Bytes message) noexcept {
  RpcStatus status;
  const bool whole = for_each_field(message, [&](const Field& field) {
    if (field.is(2, WireType::length)) status.message = field.text();
    if (field.is(3, WireType::length)) read_detail(field.bytes, status);
    return true;
  });
  return whole ? status : RpcStatus{};
}

std::string_view item_name(model::Signal signal) noexcept {
  constexpr std::array<std::string_view, model::signal_count> names{"spans", "data points", "log records"};
  return names[model::index_of(signal)];
}

// Export*ServiceResponse: all three have partial_success {rejected_*, error_message} with the same numbers.
void read_success(model::Signal signal, base::Bytes body, model::Ack& ack) {
  std::int64_t rejected = 0;
  std::string_view message;
  bool partial_whole = true;
  const bool whole = for_each_field(body, [&](const Field& field) {
    if (!field.is(1, WireType::length)) return true;
    partial_whole = for_each_field(field.bytes, [&](const Field& inner) {
      if (inner.is(1, WireType::varint)) rejected = static_cast<std::int64_t>(inner.value);
      if (inner.is(2, WireType::length)) message = inner.text();
      return true;
    });
    return partial_whole;
  });
  ack.verdict = model::Verdict::delivered;
  if (!whole || !partial_whole) {
    // The status said "taken"; a body that cannot be read doesn't take that back.
    ack.reason = "delivered, but the body of the answer is not an OTLP response";
    return;
  }
  constexpr std::int64_t count_max = std::numeric_limits<std::uint32_t>::max();
  ack.refused_item_count = static_cast<std::uint32_t>(std::clamp<std::int64_t>(rejected, 0, count_max));
  if (ack.refused_item_count != 0) {
    ack.reason = "partial success: " + std::to_string(ack.refused_item_count) + " " + std::string(item_name(signal)) +
                 " refused: " + readable(message);
  } else if (!message.empty()) {
    ack.reason = "delivered with a warning: " + readable(message);
  }
}

// --- gRPC ------------------------------------------------------------------------------------------
enum class GrpcStatus : int {
  ok = 0,
  cancelled = 1,
  deadline_exceeded = 4,
  resource_exhausted = 8,
  aborted = 10,
  out_of_range = 11,
  unavailable = 14,
  data_loss = 15,
};

}  // namespace

std::string grpc_name(int status) {
  constexpr std::array<std::string_view, 17> names{
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  if (status < 0 || static_cast<std::size_t>(status) >= names.size()) return "gRPC status " + std::to_string(status);
  return std::string(names[static_cast<std::size_t>(status)]);
}

namespace {

bool is_retryable(GrpcStatus status, bool has_retry_info) noexcept {
  switch (status) {
    case GrpcStatus::cancelled:
    case GrpcStatus::deadline_exceeded:
    case GrpcStatus::aborted:
    case GrpcStatus::out_of_range:
    case GrpcStatus::unavailable:
    case GrpcStatus::data_loss:
      return true;
    case GrpcStatus::resource_exhausted:
      return has_retry_info;
    case GrpcStatus::ok:
      break;
  }
  return false;
}

// grpc-go and gRPC core word their size limits differently, but both (and the "after decompression" form) have this.
bool speaks_of_size(std::string_view message) noexcept {
  return message.find("larger than max") != std::string_view::npos;
}

// --- HTTP ------------------------------------------------------------------------------------------
constexpr int http_payload_too_large = 413;

bool is_retryable_http(int status) noexcept {
  if (status == 429 || status == 502 || status == 503 || status == 504) return true;
  // Below 400 nobody has spoken as an OTLP server (a redirect, a proxy): nothing was taken, and the rule "must not
  // be retried" is for 4xx and 5xx.
  return status < 400 || status > 599;
}

}  // namespace

Answer read_grpc_answer(const model::ChunkId& id, model::Signal signal, int grpc_status, std::string_view message,
                        base::Bytes details, base::Bytes body) {
  Answer answer;
  answer.ack.chunk_id = id;
  const auto status = static_cast<GrpcStatus>(grpc_status);
  if (status == GrpcStatus::ok) {
    read_success(signal, body, answer.ack);
    return answer;
  }
  const RpcStatus rpc = read_status(details);
  answer.ack.reason = grpc_name(grpc_status) + ": " + readable(message.empty() ? rpc.message : message);
  if (is_retryable(status, rpc.retry_delay.has_value())) {
    answer.ack.verdict = model::Verdict::retry;
    if (rpc.retry_delay) answer.ack.retry_after = clamp_wait(*rpc.retry_delay);
  } else {
    answer.ack.verdict = model::Verdict::rejected;
    answer.too_large = status == GrpcStatus::resource_exhausted && speaks_of_size(message);
  }
  return answer;
}

Answer read_http_answer(const model::ChunkId& id, model::Signal signal, int http_status,
                        std::optional<base::Duration> retry_after, std::string_view reason, base::Bytes body) {
  Answer answer;
  answer.ack.chunk_id = id;
  if (http_status >= 200 && http_status < 300) {
    read_success(signal, body, answer.ack);
    return answer;
  }
  answer.ack.reason = "HTTP " + std::to_string(http_status) + " " + readable(reason);
  const RpcStatus rpc = read_status(body);
  if (!rpc.message.empty()) answer.ack.reason += ": " + readable(rpc.message);
  if (is_retryable_http(http_status)) {
    answer.ack.verdict = model::Verdict::retry;
    if (retry_after) answer.ack.retry_after = clamp_wait(*retry_after);
  } else {
    answer.ack.verdict = model::Verdict::rejected;
    answer.too_large = http_status == http_payload_too_large;
  }
  return answer;
}

}  // namespace arca::otlp
