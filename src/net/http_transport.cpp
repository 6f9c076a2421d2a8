#include "net/http_transport.hpp"

#include <fmt/format.h>

#include <exception>

#include "net/gzip.hpp"
#include "net/header_text.hpp"
#include "net/transport_options.hpp"

namespace arca::net {

Response read_http_exchange(EngineAnswer answer, base::WallTime now) {
  Response response;
  // A refusal is a refusal, even if its explanation was cut off; a success has to be complete.
  const bool refusal = answer.http_status >= 300;
  if (answer.http_status < 200 || (!answer.complete && !refusal)) {
    response.outcome = answer.request_began ? Outcome::no_answer : Outcome::not_sent;
    response.message = answer.complete ? "the answer has no HTTP status" : std::move(answer.error);
    return response;
  }
  response.outcome = Outcome::answered;
  response.status = answer.http_status;
  response.message = std::move(answer.reason);
  if (answer.has_header("retry-after")) response.retry_after = parse_retry_after(answer.header("retry-after"), now);
  response.body = std::move(answer.body);
  if (answer.header("content-encoding") == "gzip")
    response.body = gunzip(response.body, answer_body_size_max).value_or(std::vector<std::byte>{});
  return response;
}

Result<std::unique_ptr<HttpTransport>> HttpTransport::create(const TransportOptions& options, os::Clock& clock) {
  if (auto checked = check_transport_options(options); !checked) return failure(checked.error());
  const std::string_view scheme = options.tls ? "https://" : "http://";
  if (!to_lower(options.target).starts_with(scheme))
    return failure(ErrorCode::invalid_config,
                   fmt::format("'{}' has to be a URL that begins with {}", options.target, scheme));
  EngineOptions engine;
  engine.url = options.target;
  engine.tls = options.tls;
  engine.tls_options = options.tls_options;
  engine.user_agent = options.user_agent;
  engine.headers = {{"Content-Type", "application/x-protobuf"}};
  for (const auto& header : options.headers) engine.headers.push_back(header);
  return std::unique_ptr<HttpTransport>(new HttpTransport(std::move(engine), options.gzip, clock));
}

HttpTransport::HttpTransport(EngineOptions options, bool gzip, os::Clock& clock)
    : gzip_(gzip), clock_(clock), engine_(std::move(options), clock) {}

void HttpTransport::send(model::Payload payload, std::vector<std::pair<std::string, std::string>> extra_headers,
                         base::Duration timeout, std::function<void(Response)> done) noexcept {
  try {
    EngineRequest request;
    request.headers = std::move(extra_headers);
    request.timeout = timeout;
    if (gzip_) {
      if (auto smaller = gzip(payload)) {
        payload = model::Payload::own(std::move(*smaller));
        request.headers.emplace_back("Content-Encoding", "gzip");
      }
    }
    request.payload = std::move(payload);
    engine_.start(std::move(request), [done, &clock = clock_](EngineAnswer answer) {
      done(read_http_exchange(std::move(answer), clock.wall_now()));
    });
  } catch (const std::exception& error) {
    done(not_sent(error.what()));
  }
}

void HttpTransport::cancel_all() noexcept { engine_.cancel_all(); }
void HttpTransport::close() noexcept { engine_.close(); }

}  // namespace arca::net
