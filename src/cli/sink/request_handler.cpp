#include "cli/sink/request_handler.hpp"

#include <isa-l/igzip_lib.h>

#include <algorithm>

#include "base/varint.hpp"

namespace arca::cli::sink {

namespace {

void put_varint(std::vector<std::byte>& out, std::uint64_t value) {
  std::byte buffer[10];
  const std::byte* const end = base::write_varint(buffer, value);
  out.insert(out.end(), static_cast<const std::byte*>(buffer), end);
}

void put_integer(std::vector<std::byte>& out, unsigned field, std::uint64_t value) {
  put_varint(out, field << 3U);
  put_varint(out, value);
}

void put_bytes(std::vector<std::byte>& out, unsigned field, base::Bytes bytes) {
  put_varint(out, (field << 3U) | 2U);
  put_varint(out, bytes.size());
  out.insert(out.end(), bytes.begin(), bytes.end());
}

constexpr std::string_view rubbish_text = "\xff\xff\xff\x07this is no protobuf message\x00\x9c";

// google.rpc.Status: 1 code, 2 message, 3 details (Any: 1 type_url, 2 value); RetryInfo: 1 retry_delay
// (Duration: 1 seconds, 2 nanos).
std::vector<std::byte> encode_status(int code, std::string_view message, std::optional<base::Duration> retry_info) {
  std::vector<std::byte> status;
  put_integer(status, 1, static_cast<std::uint64_t>(code));
  put_bytes(status, 2, base::as_bytes(message));
  if (retry_info) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(*retry_info);
    std::vector<std::byte> delay;
    put_integer(delay, 1, static_cast<std::uint64_t>(seconds.count()));
    put_integer(delay, 2, static_cast<std::uint64_t>((*retry_info - seconds).count()));
    std::vector<std::byte> info;
    put_bytes(info, 1, delay);
    std::vector<std::byte> any;
    put_bytes(any, 1, base::as_bytes("type.googleapis.com/google.rpc.RetryInfo"));
    put_bytes(any, 2, info);
    put_bytes(status, 3, any);
  }
  return status;
}

// ExportXServiceResponse: 1 partial_success (1 rejected, 2 error_message).
std::vector<std::byte> encode_partial(std::uint64_t rejected, std::string_view message) {
  std::vector<std::byte> partial;
  if (rejected != 0) put_integer(partial, 1, rejected);
  if (!message.empty()) put_bytes(partial, 2, base::as_bytes(message));
  std::vector<std::byte> response;
  put_bytes(response, 1, partial);
  return response;
}

// Whether gzip data could be inflated into `out`, which never grows beyond size_max.
bool inflate_gzip(base::Bytes compressed, std::vector<std::byte>& out, std::size_t size_max) {
  inflate_state state;
  isal_inflate_init(&state);
  state.crc_flag = ISAL_GZIP;
  // The library takes a pointer to data that it does not change.
  state.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(compressed.data()));
  state.avail_in = static_cast<std::uint32_t>(compressed.size());
  std::size_t written = 0;
  if (out.size() < compressed.size() * 4) out.resize(compressed.size() * 4 + 1024);
  while (true) {
    state.next_out = reinterpret_cast<std::uint8_t*>(out.data() + written);
    state.avail_out = static_cast<std::uint32_t>(out.size() - written);
    if (isal_inflate(&state) != ISAL_DECOMP_OK) return false;
    written = out.size() - state.avail_out;
    if (state.block_state == ISAL_BLOCK_FINISH) break;
    if (state.avail_in == 0 && state.avail_out != 0) return false;  // cut off
    if (out.size() >= size_max) return false;
    out.resize(std::min(out.size() * 2, size_max));
  }
  out.resize(written);
  return true;
}

}  // namespace

Answer RequestHandler::handle(const Request& request) {
  const Behaviour& behaviour = request.behaviour;
  if (behaviour.mode != Mode::ok) tally_.fault_fired(behaviour.mode);
  switch (behaviour.mode) {
    case Mode::stall: {
      tally_.turn_away(request.signal);
      Answer answer;
      answer.action = Answer::Action::never;
      return answer;
    }
    case Mode::abort: {
      tally_.turn_away(request.signal);
      Answer answer;
      answer.action = Answer::Action::abort_stream;
      answer.delay = behaviour.delay;
      return answer;
    }
    case Mode::refuse:  // a request that was under way when the doors closed
    case Mode::reset: {
      tally_.turn_away(request.signal);
      Answer answer;
      answer.action = Answer::Action::close_connection;
      return answer;
    }
    case Mode::status:
      if (behaviour.code != 200) return turned_away(request, 14, behaviour.code);
      break;
    case Mode::grpc:
      if (behaviour.code != 0) return turned_away(request, behaviour.code, std::nullopt);
      break;
    default:
      break;
  }
  const auto body = plain_body(request);
  const auto items = body ? tally_.take(request.signal, *body, request.body.size(), request.chunk_id) : std::nullopt;
  if (!items) {
    tally_.malformed(request.signal);
    Answer answer;
    answer.http_status = 400;
    answer.grpc_status = 3;
    answer.message = "the request is not a whole OTLP message";
    answer.body = encode_status(3, answer.message, std::nullopt);
    return answer;
  }
  if (recorder_) recorder_(request.signal, *body);
  return taken(request, *items);
}

void RequestHandler::cut_short(model::Signal signal) {
  tally_.fault_fired(Mode::reset);
  tally_.turn_away(signal);
}

Answer RequestHandler::turned_away(const Request& request, int grpc_code, std::optional<int> http_status) {
  const Behaviour& behaviour = request.behaviour;
  tally_.turn_away(request.signal);
  Answer answer;
  answer.delay = behaviour.delay;
  answer.http_status = http_status.value_or(http_status_of(grpc_code));
  answer.grpc_status = http_status ? std::nullopt : std::optional(grpc_code);
  answer.message = behaviour.message.empty() ? "asked to fail" : behaviour.message;
  answer.retry_after = behaviour.retry_after;
  answer.body = encode_status(grpc_code, answer.message, behaviour.retry_info);
  if (behaviour.retry_info) answer.details = answer.body;
  if (behaviour.rubbish_retry_info) {
    const base::Bytes rubbish = base::as_bytes(rubbish_text);
    answer.details.assign(rubbish.begin(), rubbish.end());
  }
  return answer;
}

Answer RequestHandler::taken(const Request& request, std::uint64_t items) {
  const Behaviour& behaviour = request.behaviour;
  Answer answer;
  answer.delay = behaviour.delay;
  answer.message = behaviour.message;
  switch (behaviour.mode) {
    case Mode::close:
      answer.action = Answer::Action::close_connection;
      break;
    case Mode::hangup:
      answer.close_after = true;
      break;
    case Mode::goaway:
      answer.announce_end = true;
      break;
    case Mode::trickle:
      answer.trickle = true;
      answer.body = encode_partial(0, "slowly");  // something to trickle: an empty answer has no bytes
      break;
    case Mode::rubbish: {
      const base::Bytes rubbish = base::as_bytes(rubbish_text);
      answer.body.assign(rubbish.begin(), rubbish.end());
      break;
    }
    case Mode::partial: {
      const std::uint64_t rejected = std::min(behaviour.amount, items);
      tally_.told_rejected(request.signal, rejected);
      answer.body = encode_partial(rejected, behaviour.message);
      answer.message.clear();
      break;
    }
    case Mode::big:
      answer.body = encode_partial(0, std::string(behaviour.amount, 'x'));
      break;
    default:
      break;
  }
  return answer;
}

std::optional<base::Bytes> RequestHandler::plain_body(const Request& request) {
  if (!request.gzip) return request.body;
  if (!inflate_gzip(request.body, inflated_, body_max_ * 4)) return std::nullopt;
  return inflated_;
}

}  // namespace arca::cli::sink
