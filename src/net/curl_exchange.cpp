#include "net/curl_exchange.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

#include "net/curl_engine_state.hpp"

namespace arca::net {
namespace {

// How much libcurl asks for at once: a whole chunk, so that HTTP/2 frames leave in few system calls.
constexpr long upload_buffer_size = 512L << 10;

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view space = " \t\r\n";
  const auto first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

std::string tls_trouble(CURLcode code, std::string_view text, const TlsOptions& tls) {
  switch (code) {
    case CURLE_SSL_CACERT_BADFILE:
      return fmt::format("cannot use the CA file '{}': {}; it must be a readable PEM file of certificates", tls.ca_file,
                         text);
    case CURLE_SSL_CERTPROBLEM:
      return fmt::format(
          "cannot use the client certificate '{}' with key '{}': {}; both must be readable PEM files "
          "that belong together, the key without passphrase",
          tls.client_cert_file, tls.client_key_file, text);
    case CURLE_PEER_FAILED_VERIFICATION:
      return fmt::format("the server's certificate was not accepted: {} (trusting {})", text,
                         tls.ca_file.empty() ? std::string("the system's CAs") : "'" + tls.ca_file + "'");
    default:
      return std::string(text);
  }
}

// What libcurl says of a failure: its first words. When the server goes away right after the handshake, those are about
// an address that is no longer known; then the reader needs to hear what such a server usually wants.
std::string first_words(CURLcode code, const char* text, const EngineOptions& options) {
  const std::string_view words = text;
  if (words.empty()) return curl_easy_strerror(code);
  if (!words.starts_with("getpeername()")) return std::string(words);
  std::string closed = fmt::format("{}: the server closed the connection at once", curl_easy_strerror(code));
  if (options.tls && options.tls_options.client_cert_file.empty()) closed += "; it may want a client certificate";
  return closed;
}

// libcurl before 8.0 ends an answer well, but without its trailers, when a GOAWAY of the server is read along with it:
// for every server that renews connections by age, or is restarted, an ordinary event.
bool loses_trailers(const EngineOptions& options) noexcept {
  return options.http2 && curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
}

// Errors of a connection that stood: whatever libcurl believes it has sent, some of it may have arrived.
bool breaks_a_connection(CURLcode code) noexcept {
  return code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING || code == CURLE_HTTP2 ||
         code == CURLE_HTTP2_STREAM || code == CURLE_PARTIAL_FILE || code == CURLE_WEIRD_SERVER_REPLY;
}

}  // namespace

Exchange::~Exchange() {
  release_handle();
  curl_slist_free_all(header_lines_);
}

void Exchange::release_handle() noexcept {
  if (easy != nullptr) curl_easy_cleanup(std::exchange(easy, nullptr));
}

void Exchange::close_connection_behind() noexcept { curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L); }

void Exchange::add_header_line(const std::string& name, const std::string& value) {
  if (!is_valid_header(name, value)) return;  // refused where the options are checked; never let one split a line
  const std::string line = value.empty() ? name + ";" : name + ": " + value;
  if (curl_slist* longer = curl_slist_append(header_lines_, line.c_str())) header_lines_ = longer;
}

bool Exchange::prepare(const EngineOptions& options, CurlEngine::State& engine, long http_version) {
  if (easy == nullptr) easy = curl_easy_init();
  if (easy == nullptr) return false;
  curl_easy_reset(easy);
  engine_ = &engine;
  ++attempt_count;
  const bool began_before = answer.request_began;
  answer = EngineAnswer();
  answer.request_began = began_before;
  header_bytes_ = 0;
  wanted_connection = false;
  on_seek(this, 0, SEEK_SET);
  if (header_lines_ == nullptr) {
    for (const auto& [name, value] : options.headers) add_header_line(name, value);
    for (const auto& [name, value] : request.headers) add_header_line(name, value);
    if (curl_slist* longer = curl_slist_append(header_lines_, "Expect:")) header_lines_ = longer;
  }
  const auto set = [this](auto option, auto value) { curl_easy_setopt(easy, option, value); };
  set(CURLOPT_URL, options.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, options.tls ? "https" : "http");
  set(CURLOPT_PROXY, "");  // no proxy, and none from the environment either
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_HTTP_VERSION, http_version);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // never wait for a resolver that hangs
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_PIPEWAIT, options.http2 ? 1L : 0L);
  set(CURLOPT_POST, 1L);
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.prefix_size + request.payload.size()));
  set(CURLOPT_UPLOAD_BUFFERSIZE, upload_buffer_size);
  set(CURLOPT_HTTPHEADER, header_lines_);
  set(CURLOPT_USERAGENT, options.user_agent.c_str());
  set(CURLOPT_ERRORBUFFER, error_text_.data());
  set(CURLOPT_READFUNCTION, &Exchange::on_read);
  set(CURLOPT_READDATA, this);
  set(CURLOPT_SEEKFUNCTION, &Exchange::on_seek);
  set(CURLOPT_SEEKDATA, this);
  set(CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_OPENSOCKETFUNCTION, &Exchange::on_open_socket);
  set(CURLOPT_OPENSOCKETDATA, this);
  set(CURLOPT_CLOSESOCKETFUNCTION, &Exchange::on_close_socket);
  set(CURLOPT_CLOSESOCKETDATA, &engine);  // outlives every exchange
  if (options.tls) set_tls(options.tls_options);
  return true;
}

void Exchange::set_tls(const TlsOptions& tls) {
  const auto set = [this](auto option, auto value) { curl_easy_setopt(easy, option, value); };
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_KEYPASSWD, "");  // else OpenSSL would ask at the host's terminal
  if (!tls.ca_file.empty()) {
    set(CURLOPT_CAINFO, tls.ca_file.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // trust that file and nothing else
  }
  if (!tls.client_cert_file.empty()) set(CURLOPT_SSLCERT, tls.client_cert_file.c_str());
  if (!tls.client_key_file.empty()) set(CURLOPT_SSLKEY, tls.client_key_file.c_str());
}

void Exchange::conclude(CURLcode code, std::string_view why, const EngineOptions& options) {
  long request_size = 0;
  if (easy != nullptr) curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_size);
  answer.request_began = answer.request_began || request_size > 0 || sent_ > 0 || breaks_a_connection(code);
  answer.complete = code == CURLE_OK && why.empty();
  answer.may_lack_trailers = answer.complete && loses_trailers(options);
  answer.request_size = request.payload.size();
  answer.ended_early =
      code == CURLE_HTTP2_STREAM && answer.http_status == 0 && sent_ < request.prefix_size + answer.request_size;
  if (answer.complete) return;
  if (!why.empty()) {
    answer.error = why;
  } else if (headers_too_large_) {
    answer.error = fmt::format("the answer has more than {} bytes of headers", answer_header_bytes_max);
  } else {
    std::string text = first_words(code, error_text_.data(), options);
    long os_error = 0;
    if (code == CURLE_COULDNT_CONNECT && easy != nullptr) curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
    if (os_error != 0) text += ": " + std::generic_category().message(static_cast<int>(os_error));
    answer.error = fmt::format("{}: {}", options.url, tls_trouble(code, text, options.tls_options));
  }
}

std::size_t Exchange::read_body(char* to, std::size_t room) noexcept {
  std::size_t copied = 0;
  if (sent_ < request.prefix_size) {
    copied = std::min(room, request.prefix_size - sent_);
    std::memcpy(to, request.prefix.data() + sent_, copied);
  }
  const auto slices = request.payload.slices();
  while (copied < room && slice_ < slices.size()) {
    const base::Bytes slice = slices[slice_];
    const std::size_t part = std::min(room - copied, slice.size() - slice_offset_);
    if (part > 0) std::memcpy(to + copied, slice.data() + slice_offset_, part);
    copied += part;
    slice_offset_ += part;
    if (slice_offset_ == slice.size()) {
      ++slice_;
      slice_offset_ = 0;
    }
  }
  sent_ += copied;
  return copied;
}

std::size_t Exchange::on_read(char* to, std::size_t size, std::size_t count, void* self) noexcept {
  auto& exchange = *static_cast<Exchange*>(self);
  exchange.engine_->note_request_began(exchange);
  return exchange.read_body(to, size * count);
}

// libcurl rewinds when a kept connection turns out to be dead and the request goes out again on a new one.
int Exchange::on_seek(void* self, curl_off_t offset, int origin) noexcept {
  auto& exchange = *static_cast<Exchange*>(self);
  if (origin != SEEK_SET || offset != 0) return CURL_SEEKFUNC_FAIL;
  exchange.sent_ = 0;
  exchange.slice_ = 0;
  exchange.slice_offset_ = 0;
  return CURL_SEEKFUNC_OK;
}

std::size_t Exchange::on_body(char* from, std::size_t size, std::size_t count, void* self) noexcept {
  auto& exchange = *static_cast<Exchange*>(self);
  exchange.engine_->note_progress(exchange);
  const std::size_t arrived = size * count;
  auto& body = exchange.answer.body;
  const std::size_t kept = std::min(arrived, answer_body_size_max - body.size());
  try {
    const auto* bytes = reinterpret_cast<const std::byte*>(from);
    body.insert(body.end(), bytes, bytes + kept);
  } catch (const std::bad_alloc&) {
    return 0;
  }
  // The rest is read and dropped: behind it stand gRPC's trailers, and the connection stays usable.
  exchange.answer.body_cut = exchange.answer.body_cut || kept < arrived;
  return arrived;
}

std::size_t Exchange::on_header(char* from, std::size_t size, std::size_t count, void* self) noexcept {
  auto& exchange = *static_cast<Exchange*>(self);
  exchange.engine_->note_progress(exchange);
  const std::size_t arrived = size * count;
  try {
    return exchange.take_header({from, arrived}) ? arrived : 0;
  } catch (const std::bad_alloc&) {
    return 0;
  }
}

bool Exchange::take_header(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > answer_header_bytes_max) {
    headers_too_large_ = true;
    return false;
  }
  if (line.starts_with("HTTP/")) {  // a status line; after 1xx there comes another one
    answer.headers.clear();
    const auto code = line.find(' ');
    if (code == std::string_view::npos) return true;
    const std::string_view rest = trim(line.substr(code));
    answer.http_status = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(3, rest.size()) && rest[i] >= '0' && rest[i] <= '9'; ++i)
      answer.http_status = answer.http_status * 10 + (rest[i] - '0');
    answer.reason = rest.size() > 4 ? std::string(rest.substr(4)) : std::string();
    return true;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return true;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  answer.headers.emplace_back(std::move(name), trim(line.substr(colon + 1)));
  return true;
}

curl_socket_t Exchange::on_open_socket(void* self, curlsocktype /*type*/, curl_sockaddr* address) noexcept {
  auto& exchange = *static_cast<Exchange*>(self);
  return exchange.engine_->open_socket(exchange, *address);
}

int Exchange::on_close_socket(void* engine, curl_socket_t socket) noexcept {
  return static_cast<CurlEngine::State*>(engine)->close_socket(socket);
}

}  // namespace arca::net
