// RequestHandler: what the sink does with one request, without any socket: decides how to behave, counts,
// and makes the answer. Used by both kinds of connection.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "cli/sink/behaviour.hpp"
#include "cli/sink/tally.hpp"
#include "model/signal.hpp"

namespace arca::cli::sink {

enum class Protocol : std::uint8_t { grpc, http };

struct Request {
  Protocol protocol = Protocol::http;
  model::Signal signal = model::Signal::traces;
  Behaviour behaviour;   // chosen when the head of the request arrived
  std::string chunk_id;  // header arca-chunk-id
  bool gzip = false;
  base::Bytes body;  // gRPC: the message without its prefix
};

struct Answer {
  enum class Action : std::uint8_t {
    respond,
    never,             // keep the connection open and say nothing
    close_connection,  // end it without an answer
    abort_stream,      // HTTP/2: RST_STREAM; HTTP/1.1: as close_connection
  };
  Action action = Action::respond;
  base::Duration delay{};
  int http_status = 200;
  std::optional<int> grpc_status = 0;  // nothing: the answer of something in between, not of a gRPC server
  std::string message;
  std::optional<std::string> retry_after;
  std::vector<std::byte> details;  // google.rpc.Status with RetryInfo, or rubbish
  std::vector<std::byte> body;
  bool trickle = false;       // one byte a second
  bool announce_end = false;  // GOAWAY, or `Connection: close`
  bool close_after = false;   // close without announcement once the answer is out
};

// Not thread-safe.
class RequestHandler {
 public:
  // `recorder` (may be empty) sees every request that is taken, decompressed.
  using Recorder = std::function<void(model::Signal, base::Bytes)>;
  RequestHandler(Tally& tally, Behaviours& behaviours, std::size_t body_max, Recorder recorder)
      : tally_(tally), behaviours_(behaviours), body_max_(body_max), recorder_(std::move(recorder)) {}

  // Chooses how the request whose head has come will be treated.
  Behaviour choose(model::Signal signal) { return behaviours_.next(signal); }
  // The whole request is here: counts it and says how to answer.
  Answer handle(const Request& request);
  // The connection was reset before the body was complete, as the behaviour asked.
  void cut_short(model::Signal signal);

  [[nodiscard]] std::size_t body_max() const noexcept { return body_max_; }
  [[nodiscard]] Tally& tally() noexcept { return tally_; }

 private:
  Answer turned_away(const Request& request, int grpc_code, std::optional<int> http_status);
  Answer taken(const Request& request, std::uint64_t items);
  std::optional<base::Bytes> plain_body(const Request& request);

  Tally& tally_;
  Behaviours& behaviours_;
  std::size_t body_max_;
  Recorder recorder_;
  std::vector<std::byte> inflated_;  // reused: touching fresh pages is the dearest part of a request
};

}  // namespace arca::cli::sink
