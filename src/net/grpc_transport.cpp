#include "net/grpc_transport.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <exception>

#include "net/gzip.hpp"
#include "net/header_text.hpp"
#include "net/transport_options.hpp"

namespace arca::net {
namespace {

constexpr std::size_t prefix_size = 5;  // compressed flag, length as four bytes big-endian
constexpr int status_unknown = 2;
constexpr int status_resource_exhausted = 8;
constexpr std::size_t default_request_size_max = 4U << 20U;  // of every gRPC server, unless told otherwise

std::array<char, prefix_size> length_prefix(bool compressed, std::size_t size) noexcept {
  std::array<char, prefix_size> prefix{static_cast<char>(compressed ? 1 : 0)};
  for (std::size_t i = 0; i < 4; ++i) prefix[1 + i] = static_cast<char>((size >> (24U - 8U * i)) & 0xFFU);
  return prefix;
}

// grpc-timeout: at most eight digits and a unit.
std::string grpc_timeout(base::Duration timeout) {
  const auto ms = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::milliseconds>(timeout).count());
  if (ms <= 99'999'999) return fmt::format("{}m", ms);
  return fmt::format("{}S", std::min<std::int64_t>(ms / 1000, 99'999'999));
}

// What gRPC prescribes when a proxy or a plain web server answers instead ("HTTP to gRPC Status Code Mapping").
int status_of_http(int http_status) noexcept {
  switch (http_status) {
    case 400:
      return 13;  // INTERNAL
    case 401:
      return 16;  // UNAUTHENTICATED
    case 403:
      return 7;  // PERMISSION_DENIED
    case 404:
      return 12;  // UNIMPLEMENTED
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;  // UNAVAILABLE
    default:
      return status_unknown;
  }
}

// The one message of a unary answer. Empty if there is none or it does not have gRPC's form: the status speaks.
std::vector<std::byte> message_of(const EngineAnswer& answer) {
  const base::Bytes body = answer.body;
  if (body.size() < prefix_size) return {};
  std::size_t size = 0;
  for (std::size_t i = 1; i < prefix_size; ++i) size = (size << 8U) | std::to_integer<std::size_t>(body[i]);
  if (size > body.size() - prefix_size) return {};
  const base::Bytes message = body.subspan(prefix_size, size);
  if (body[0] == std::byte{0}) return {message.begin(), message.end()};
  if (body[0] != std::byte{1} || answer.header("grpc-encoding") != "gzip") return {};
  return gunzip(message, answer_body_size_max).value_or(std::vector<std::byte>{});
}

// Whether the answer is one message and nothing else.
bool is_whole_message(const EngineAnswer& answer) noexcept {
  const base::Bytes body = answer.body;
  if (answer.body_cut || body.size() < prefix_size || body[0] > std::byte{1}) return false;
  std::size_t size = 0;
  for (std::size_t i = 1; i < prefix_size; ++i) size = (size << 8U) | std::to_integer<std::size_t>(body[i]);
  return size == body.size() - prefix_size && answer.header("content-type").starts_with("application/grpc");
}

}  // namespace

Response read_grpc_exchange(EngineAnswer answer) {
  Response response;
  // With a status the call is decided, even if the stream was torn down behind it, as servers do that answer
  // before they have read the whole request.
  if (answer.has_header("grpc-status")) {
    const std::string_view text = answer.header("grpc-status");
    int status = status_unknown;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), status);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size() || status < 0) status = status_unknown;
    response.outcome = Outcome::answered;
    response.status = status;
    response.message = decode_percent(answer.header("grpc-message"));
    response.body = message_of(answer);
    if (auto details = decode_base64(answer.header("grpc-status-details-bin")))
      response.grpc_status_details = std::move(*details);
    return response;
  }
  if (answer.complete && answer.http_status != 0 && answer.http_status != 200) {
    response.outcome = Outcome::answered;
    response.status = status_of_http(answer.http_status);
    response.message =
        fmt::format("HTTP status {} instead of a gRPC status; is the endpoint a gRPC server?", answer.http_status);
    return response;
  }
  // A server that refuses a request by its length says so in trailers and ends the stream while we still send.
  // libcurl before 8.0 then loses the trailers. Above the limit that servers have, that is what happened; a smaller
  // request stays unanswered.
  if (answer.ended_early && answer.request_size > default_request_size_max) {
    response.outcome = Outcome::answered;
    response.status = status_resource_exhausted;
    response.message = fmt::format(
        "the server ended the stream of a request of {} bytes before it had it whole, as servers "
        "do with a message larger than max",
        answer.request_size);
    return response;
  }
  // The status was in trailers that libcurl dropped. A server gives a message to a unary call that succeeded only (any
  // other gets trailers alone), so the message says what the trailers said. To doubt it would be to send everything
  // twice that is under way when a server renews its connections. Now and then libcurl drops the message too; then
  // nothing is known.
  if (answer.may_lack_trailers && answer.http_status == 200 && is_whole_message(answer)) {
    response.outcome = Outcome::answered;
    response.body = message_of(answer);
    return response;
  }
  response.outcome = answer.request_began ? Outcome::no_answer : Outcome::not_sent;
  response.message = answer.complete ? "the answer has no grpc-status; is the endpoint a gRPC server?" : answer.error;
  return response;
}

Result<std::unique_ptr<GrpcTransport>> GrpcTransport::create(const TransportOptions& options, os::Clock& clock) {
  if (auto checked = check_transport_options(options); !checked) return failure(checked.error());
  if (options.target.find("://") != std::string::npos || options.path.empty() || options.path[0] != '/')
    return failure(ErrorCode::invalid_config,
                   fmt::format("gRPC needs host:port and a method path that begins with '/', not '{}' and '{}'",
                               options.target, options.path));
  EngineOptions engine;
  engine.url = fmt::format("{}://{}{}", options.tls ? "https" : "http", options.target, options.path);
  engine.http2 = true;
  engine.tls = options.tls;
  engine.tls_options = options.tls_options;
  engine.user_agent = options.user_agent;
  engine.headers = {{"content-type", "application/grpc"}, {"te", "trailers"}, {"grpc-accept-encoding", "gzip"}};
  if (options.gzip) engine.headers.emplace_back("grpc-encoding", "gzip");
  for (const auto& [name, value] : options.headers) engine.headers.emplace_back(to_lower(name), value);
  return std::unique_ptr<GrpcTransport>(new GrpcTransport(std::move(engine), options.gzip, clock));
}

GrpcTransport::GrpcTransport(EngineOptions options, bool gzip, os::Clock& clock)
    : gzip_(gzip), engine_(std::move(options), clock) {}

void GrpcTransport::send(model::Payload payload, std::vector<std::pair<std::string, std::string>> extra_headers,
                         base::Duration timeout, std::function<void(Response)> done) noexcept {
  try {
    EngineRequest request;
    bool compressed = false;
    if (gzip_) {
      if (auto smaller = gzip(payload)) {
        payload = model::Payload::own(std::move(*smaller));
        compressed = true;
      }
    }
    request.prefix = length_prefix(compressed, payload.size());
    request.prefix_size = prefix_size;
    request.payload = std::move(payload);
    request.timeout = timeout;
    for (auto& [name, value] : extra_headers) request.headers.emplace_back(to_lower(name), std::move(value));
    request.headers.emplace_back("grpc-timeout", grpc_timeout(timeout));
    engine_.start(std::move(request), [done](EngineAnswer answer) { done(read_grpc_exchange(std::move(answer))); });
  } catch (const std::exception& error) {
    done(not_sent(error.what()));
  }
}

void GrpcTransport::cancel_all() noexcept { engine_.cancel_all(); }
void GrpcTransport::close() noexcept { engine_.close(); }

}  // namespace arca::net
