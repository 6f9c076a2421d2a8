#include "cli/sink/http1_connection.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace arca::cli::sink {

namespace {

constexpr std::size_t head_size_max = 64 << 10;

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view reason_of(int status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

}  // namespace

void Http1Connection::on_bytes(base::Bytes bytes) {
  if (in_read_ == in_.size()) {
    in_.clear();
    in_read_ = 0;
  }
  in_.insert(in_.end(), bytes.begin(), bytes.end());
  while (!ended() && advance()) {
  }
}

bool Http1Connection::advance() {
  switch (state_) {
    case State::head:
      return read_head();
    case State::sized_body:
      return read_body(body_left_, State::answering);
    case State::chunk_head:
      return read_chunk_head();
    case State::chunk_body:
      return read_body(body_left_, State::chunk_end);
    case State::chunk_end: {
      std::string_view line;
      if (!read_line(line)) return false;
      state_ = State::chunk_head;
      return true;
    }
    case State::trailers: {
      std::string_view line;
      if (!read_line(line)) return false;
      if (line.empty()) complete();
      return true;
    }
    case State::answering:
      return false;  // the next request waits in in_
  }
  return false;
}

bool Http1Connection::read_head() {
  const std::string_view text = base::as_text(base::Bytes(in_).subspan(in_read_));
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (text.size() > head_size_max) refuse(400, "the head is too long");
    return false;
  }
  request_ = {};
  const bool fine = parse_head(text.substr(0, end));
  in_read_ += end + 4;
  if (!fine) {
    refuse(400, "the head is no HTTP/1.1");
    return false;
  }
  return choose_body();
}

bool Http1Connection::parse_head(std::string_view head) {
  std::size_t end = std::min(head.find("\r\n"), head.size());
  const std::string_view first = head.substr(0, end);
  const std::size_t blank = first.find(' ');
  const std::size_t second_blank = first.rfind(' ');
  if (blank == std::string_view::npos || second_blank == blank) return false;
  if (!first.substr(second_blank + 1).starts_with("HTTP/1.")) return false;
  request_.method = first.substr(0, blank);
  request_.target = first.substr(blank + 1, second_blank - blank - 1);
  keep_alive_ = first.ends_with("HTTP/1.1");
  head.remove_prefix(std::min(end + 2, head.size()));
  while (!head.empty()) {
    end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    request_.headers[lower(line.substr(0, colon))] = trim(line.substr(colon + 1));
    head.remove_prefix(std::min(end + 2, head.size()));
  }
  if (lower(request_.header("connection")) == "close") keep_alive_ = false;
  return true;
}

bool Http1Connection::choose_body() {
  reset_half_way_ = service_.on_head(request_);
  body_size_ = body_left_ = 0;
  const bool chunked = lower(request_.header("transfer-encoding")) == "chunked";
  const std::string_view length = request_.header("content-length");
  if (!length.empty()) {
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), body_size_);
    if (error != std::errc() || end != length.data() + length.size()) {
      refuse(400, "Content-Length is no number");
      return false;
    }
  }
  if (body_size_ > service_.body_max()) {
    refuse(413, "the body is too large");
    return false;
  }
  if (lower(request_.header("expect")) == "100-continue") write(base::as_bytes("HTTP/1.1 100 Continue\r\n\r\n"));
  body_left_ = body_size_;
  state_ = chunked ? State::chunk_head : State::sized_body;
  if (reset_half_way_ && !chunked && body_size_ == 0) {
    service_.on_cut_short(request_);
    reset_now();
  }
  return !ended();
}

bool Http1Connection::read_body(std::size_t wanted, State next) {
  const std::size_t there = std::min(wanted, in_.size() - in_read_);
  const auto from = in_.begin() + static_cast<std::ptrdiff_t>(in_read_);
  if (request_.body.empty()) request_.body.reserve(std::min<std::size_t>(body_size_, 16 << 20));
  request_.body.insert(request_.body.end(), from, from + static_cast<std::ptrdiff_t>(there));
  in_read_ += there;
  body_left_ -= there;
  if (reset_half_way_ && request_.body.size() * 2 >= body_size_) {
    service_.on_cut_short(request_);
    reset_now();
    return false;
  }
  if (request_.body.size() > service_.body_max()) {
    refuse(413, "the body is too large");
    return false;
  }
  if (body_left_ != 0) return false;
  state_ = next;
  if (next == State::answering) complete();
  return true;
}

bool Http1Connection::read_chunk_head() {
  std::string_view line;
  if (!read_line(line)) return false;
  line = trim(line.substr(0, std::min(line.find(';'), line.size())));
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), size, 16);
  if (error != std::errc() || end != line.data() + line.size() || size > service_.body_max()) {
    refuse(400, "a chunk has no proper size");
    return false;
  }
  body_left_ = static_cast<std::size_t>(size);
  state_ = size == 0 ? State::trailers : State::chunk_body;
  return true;
}

bool Http1Connection::read_line(std::string_view& line) {
  const std::string_view text = base::as_text(base::Bytes(in_).subspan(in_read_));
  const std::size_t end = text.find("\r\n");
  if (end == std::string_view::npos) {
    if (text.size() > head_size_max) refuse(400, "a line is too long");
    return false;
  }
  line = text.substr(0, end);
  in_read_ += end + 2;
  return true;
}

void Http1Connection::complete() {
  state_ = State::answering;
  Http1Answer answer = service_.on_request(request_);
  switch (answer.answer.action) {
    case Answer::Action::never:
      return;
    case Answer::Action::close_connection:
    case Answer::Action::abort_stream:
      return close_now();
    case Answer::Action::respond:
      break;
  }
  const base::Duration delay = answer.answer.delay;
  if (delay == base::Duration::zero()) return respond(answer);
  later(delay, [this, answer = std::move(answer)] { respond(answer); });
}

void Http1Connection::respond(const Http1Answer& full) {
  const Answer& answer = full.answer;
  if (answer.announce_end) keep_alive_ = false;
  std::string head = "HTTP/1.1 " + std::to_string(answer.http_status) + " " +
                     std::string(reason_of(answer.http_status)) + "\r\nContent-Type: " + full.content_type +
                     "\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\n";
  if (answer.retry_after) head += "Retry-After: " + *answer.retry_after + "\r\n";
  if (!keep_alive_) head += "Connection: close\r\n";
  head += "\r\n";
  if (answer.close_after) keep_alive_ = false;  // unannounced
  head += base::as_text(answer.body);
  if (answer.trickle) return trickle(std::move(head), 0);
  write(base::as_bytes(head));
  after_answer();
}

void Http1Connection::trickle(std::string bytes, std::size_t sent) {
  if (sent == bytes.size()) return after_answer();
  write(base::as_bytes(std::string_view(bytes).substr(sent, 1)));
  later(std::chrono::seconds(1),
        [this, bytes = std::move(bytes), sent]() mutable { trickle(std::move(bytes), sent + 1); });
}

void Http1Connection::after_answer() {
  if (ended()) return;
  if (!keep_alive_) return close_after_writing();
  state_ = State::head;
  // A pipelined request may be here already; looked at from the loop, so that the stack stays flat.
  if (in_read_ < in_.size()) later(base::Duration::zero(), [this] { on_bytes({}); });
}

void Http1Connection::refuse(int status, std::string_view why) {
  state_ = State::answering;
  keep_alive_ = false;
  Http1Answer answer;
  answer.answer.http_status = status;
  const base::Bytes text = base::as_bytes(why);
  answer.answer.body.assign(text.begin(), text.end());
  answer.content_type = "text/plain";
  respond(answer);
}

}  // namespace arca::cli::sink
