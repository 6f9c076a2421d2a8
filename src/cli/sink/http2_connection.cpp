#include "cli/sink/http2_connection.hpp"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>

namespace arca::cli::sink {

namespace {

// Large windows: the sender never waits for us, and a request fits many times.
constexpr std::int32_t stream_window = 16 << 20;
constexpr std::int32_t connection_window = 256 << 20;
constexpr std::uint32_t frame_size = 1 << 20;
constexpr std::size_t bodies_kept_max = 64;
constexpr std::size_t body_capacity_kept_max = 8 << 20;
// Between an answer and the end of its connection: common clients forget the trailers when the end arrives with them.
constexpr base::Duration goodbye_delay = std::chrono::milliseconds(100);
constexpr std::size_t grpc_prefix_size = 5;  // compressed flag and length

std::optional<model::Signal> signal_of_path(std::string_view path) {
  if (path == "/opentelemetry.proto.collector.trace.v1.TraceService/Export") return model::Signal::traces;
  if (path == "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export") return model::Signal::metrics;
  if (path == "/opentelemetry.proto.collector.logs.v1.LogsService/Export") return model::Signal::logs;
  return std::nullopt;
}

// grpc-message is percent-encoded.
std::string percent_encode(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7e && byte != '%') {
      result.push_back(c);
    } else {
      result += fmt::format("%{:02X}", byte);
    }
  }
  return result;
}

// Binary metadata is base64 without padding.
std::string base64(base::Bytes bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const std::byte byte : bytes) {
    bits = (bits << 8U) | static_cast<std::uint32_t>(byte);
    for (count += 8; count >= 6; count -= 6) result.push_back(digits[(bits >> (count - 6)) & 63U]);
  }
  if (count != 0) result.push_back(digits[(bits << (6 - count)) & 63U]);
  return result;
}

nghttp2_nv header(std::string_view name, std::string_view value) {
  // The library copies both and changes neither; its interface only says otherwise.
  return {const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(name.data())),
          const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

std::vector<std::byte> BodyPool::take() {
  if (free_.empty()) return {};
  std::vector<std::byte> body = std::move(free_.back());
  free_.pop_back();
  return body;
}

void BodyPool::give(std::vector<std::byte> body) {
  if (free_.size() >= bodies_kept_max || body.capacity() > body_capacity_kept_max) return;
  body.clear();
  free_.push_back(std::move(body));
}

struct Http2Connection::Stream {
  std::optional<model::Signal> signal;
  Behaviour behaviour;
  std::string path;
  std::string chunk_id;
  std::string encoding;
  std::vector<std::byte> body;
  bool too_large = false;
  // The answer, while it is being sent.
  Answer answer;
  std::vector<std::byte> out;
  std::size_t out_sent = 0;
  bool may_send_byte = true;  // trickle: one byte per permission
};

struct Http2Connection::Callbacks {
  static Http2Connection& self(void* user) { return *static_cast<Http2Connection*>(user); }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    auto stream = std::make_unique<Stream>();
    stream->body = self(user).bodies_.take();
    self(user).streams_[frame->hd.stream_id] = std::move(stream);
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    const auto found = self(user).streams_.find(frame->hd.stream_id);
    if (found == self(user).streams_.end()) return 0;
    const std::string_view key(reinterpret_cast<const char*>(name), name_size);
    const std::string_view text(reinterpret_cast<const char*>(value), value_size);
    if (key == ":path") found->second->path = text;
    if (key == "arca-chunk-id") found->second->chunk_id = text;
    if (key == "grpc-encoding") found->second->encoding = text;
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS) self(user).head_complete(frame->hd.stream_id);
    const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (last && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)) {
      self(user).request_complete(frame->hd.stream_id);
    }
    return 0;
  }

  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                     void* user) {
    self(user).body_arrived(id, {reinterpret_cast<const std::byte*>(data), size});
    return 0;
  }

  static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    const auto found = self(user).streams_.find(id);
    if (found == self(user).streams_.end()) return 0;
    self(user).bodies_.give(std::move(found->second->body));
    self(user).streams_.erase(found);
    return 0;
  }

  static ssize_t read_body(nghttp2_session* session, std::int32_t id, std::uint8_t* target, std::size_t size,
                           std::uint32_t* flags, nghttp2_data_source* source, void* user) {
    Stream& stream = *static_cast<Stream*>(source->ptr);
    std::size_t count = std::min(size, stream.out.size() - stream.out_sent);
    if (stream.answer.trickle && count != 0) {
      if (!std::exchange(stream.may_send_byte, false)) return NGHTTP2_ERR_DEFERRED;
      count = 1;
      Http2Connection& connection = self(user);
      connection.later(std::chrono::seconds(1), [&connection, id] {
        const auto found = connection.streams_.find(id);
        if (found == connection.streams_.end()) return;
        found->second->may_send_byte = true;
        nghttp2_session_resume_data(connection.session_, id);
        connection.pump();
      });
    }
    const std::byte* const from = stream.out.data() + stream.out_sent;
    std::transform(from, from + count, target, [](std::byte b) { return static_cast<std::uint8_t>(b); });
    stream.out_sent += count;
    if (stream.out_sent == stream.out.size()) {
      *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const std::array trailers{header("grpc-status", "0")};
      nghttp2_submit_trailer(session, id, trailers.data(), trailers.size());
    }
    return static_cast<ssize_t>(count);
  }
};

Http2Connection::Http2Connection(ConnectionHost& host, int descriptor, RequestHandler& handler, BodyPool& bodies)
    : Connection(host, descriptor), handler_(handler), bodies_(bodies) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &Callbacks::on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &Callbacks::on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Callbacks::on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Callbacks::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Callbacks::on_stream_close);
  nghttp2_session_server_new(&session_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
}

Http2Connection::~Http2Connection() { nghttp2_session_del(session_); }

void Http2Connection::on_start() {
  const std::array settings{nghttp2_settings_entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
                            nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, frame_size},
                            nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, connection_window);
  pump();
}

void Http2Connection::on_bytes(base::Bytes bytes) {
  inside_library_ = true;
  const ssize_t used =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  inside_library_ = false;
  if (ended()) return;
  if (used < 0) return close_now();
  pump();
}

void Http2Connection::pump() {
  if (inside_library_) return;
  inside_library_ = true;
  std::vector<std::byte> out;
  while (!ended()) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size <= 0) break;
    const auto* const bytes = reinterpret_cast<const std::byte*>(data);
    out.insert(out.end(), bytes, bytes + size);
  }
  inside_library_ = false;
  if (!out.empty()) write(out);
  // After GOAWAY the library is done at once; the goodbye takes its time all the same.
  const bool done =
      !saying_goodbye_ && nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
  if (!ended() && (done || (close_when_idle_ && streams_.empty()))) close_after_writing();
}

void Http2Connection::head_complete(std::int32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second->signal) return;
  Stream& stream = *found->second;
  stream.signal = signal_of_path(stream.path);
  if (stream.signal) stream.behaviour = handler_.choose(*stream.signal);
}

void Http2Connection::body_arrived(std::int32_t id, base::Bytes bytes) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || ended()) return;
  Stream& stream = *found->second;
  if (stream.signal && stream.behaviour.mode == Mode::reset) {
    handler_.cut_short(*stream.signal);
    return reset_now();
  }
  if (stream.body.size() + bytes.size() > handler_.body_max()) {
    stream.too_large = true;
    return;
  }
  stream.body.insert(stream.body.end(), bytes.begin(), bytes.end());
}

void Http2Connection::request_complete(std::int32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || ended()) return;
  Stream& stream = *found->second;
  Answer answer;
  if (!stream.signal) {
    answer.grpc_status = 12;
    answer.message = "no such method";
  } else if (stream.too_large) {
    answer.grpc_status = 8;
    answer.message = "received message larger than max";
  } else if (stream.body.size() < grpc_prefix_size) {
    answer.grpc_status = 3;
    answer.message = "no message";
  } else {
    const bool compressed = stream.body.front() != std::byte{0};
    if (compressed && stream.encoding != "gzip") {
      answer.grpc_status = 12;
      answer.message = "encoding not supported";
    } else {
      const base::Bytes message = base::Bytes(stream.body).subspan(grpc_prefix_size);
      answer =
          handler_.handle({Protocol::grpc, *stream.signal, stream.behaviour, stream.chunk_id, compressed, message});
    }
  }
  switch (answer.action) {
    case Answer::Action::never:
      return;
    case Answer::Action::close_connection:
      return close_now();
    case Answer::Action::abort_stream:
    case Answer::Action::respond:
      break;
  }
  if (answer.delay == base::Duration::zero()) return respond(id, std::move(answer));
  const base::Duration delay = answer.delay;
  later(delay, [this, id, answer = std::move(answer)]() mutable { respond(id, std::move(answer)); });
}

void Http2Connection::respond(std::int32_t id, Answer answer) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || ended()) return;  // the caller gave up
  if (answer.action == Answer::Action::abort_stream) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_INTERNAL_ERROR);
    return pump();
  }
  if (answer.announce_end || answer.close_after) say_goodbye(answer.announce_end);
  if (answer.grpc_status == 0) {
    submit_body(id, std::move(answer));
  } else {
    respond_without_body(id, answer);
  }
  pump();
}

void Http2Connection::say_goodbye(bool announced) {
  if (std::exchange(saying_goodbye_, true)) return;
  later(goodbye_delay, [this, announced] {
    if (announced) {
      const std::int32_t last = nghttp2_session_get_last_proc_stream_id(session_);  // what has begun is still served
      nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, nullptr, 0);
    }
    close_when_idle_ = !announced;
    pump();
  });
  if (!announced) return;
  later(2 * goodbye_delay, [this] {
    close_when_idle_ = true;
    pump();
  });
}

void Http2Connection::respond_without_body(std::int32_t id, const Answer& answer) {
  const std::string status = std::to_string(answer.grpc_status ? 200 : answer.http_status);
  const std::string code = std::to_string(answer.grpc_status.value_or(0));
  const std::string message = percent_encode(answer.message);
  const std::string details = base64(answer.details);
  std::vector<nghttp2_nv> headers{header(":status", status),
                                  header("content-type", answer.grpc_status ? "application/grpc" : "text/plain")};
  if (answer.grpc_status) {
    headers.push_back(header("grpc-status", code));
    headers.push_back(header("grpc-message", message));
    if (!details.empty()) headers.push_back(header("grpc-status-details-bin", details));
  }
  if (answer.retry_after) headers.push_back(header("retry-after", *answer.retry_after));
  nghttp2_submit_response(session_, id, headers.data(), headers.size(), nullptr);
}

void Http2Connection::submit_body(std::int32_t id, Answer answer) {
  Stream& stream = *streams_.at(id);
  const std::size_t size = answer.body.size();
  stream.out = {std::byte{0}, static_cast<std::byte>(size >> 24U), static_cast<std::byte>(size >> 16U),
                static_cast<std::byte>(size >> 8U), static_cast<std::byte>(size)};
  stream.out.insert(stream.out.end(), answer.body.begin(), answer.body.end());
  stream.answer = std::move(answer);
  const std::array headers{header(":status", "200"), header("content-type", "application/grpc")};
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = &Callbacks::read_body;
  nghttp2_submit_response(session_, id, headers.data(), headers.size(), &provider);
}

}  // namespace arca::cli::sink
