// Exchange: one request and its answer on one libcurl easy handle. Only curl_engine*.cpp and curl_exchange.cpp
// include this.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

#include "net/curl_engine.hpp"

namespace arca::net {

// Not thread-safe: lives on the engine's thread.
class Exchange {
 public:
  Exchange(EngineRequest what, CurlEngine::Done whom_to_tell, base::SteadyTime now)
      : request(std::move(what)), done(std::move(whom_to_tell)), deadline(now + request.timeout), started_at(now) {}
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Makes the handle ready for a first or further attempt. False if libcurl has no memory for it.
  bool prepare(const EngineOptions& options, CurlEngine::State& engine, long http_version);
  // Completes `answer` from what libcurl says.
  void conclude(CURLcode code, std::string_view why, const EngineOptions& options);

  // The connection ends with this exchange, or with the last one that it carries.
  void close_connection_behind() noexcept;

  // Requires that the handle is in no multi handle any more.
  void release_handle() noexcept;

  EngineRequest request;
  CurlEngine::Done done;
  base::SteadyTime deadline;
  base::SteadyTime started_at;
  EngineAnswer answer;
  CURL* easy = nullptr;
  bool may_open_connection = true;
  bool wanted_connection = false;  // was refused one because it may not open it
  int attempt_count = 0;

 private:
  static std::size_t on_read(char* to, std::size_t size, std::size_t count, void* self) noexcept;
  static int on_seek(void* self, curl_off_t offset, int origin) noexcept;
  static std::size_t on_body(char* from, std::size_t size, std::size_t count, void* self) noexcept;
  static std::size_t on_header(char* from, std::size_t size, std::size_t count, void* self) noexcept;
  static curl_socket_t on_open_socket(void* self, curlsocktype type, curl_sockaddr* address) noexcept;
  static int on_close_socket(void* engine, curl_socket_t socket) noexcept;

  std::size_t read_body(char* to, std::size_t room) noexcept;
  bool take_header(std::string_view line);
  void add_header_line(const std::string& name, const std::string& value);
  void set_tls(const TlsOptions& tls);

  CurlEngine::State* engine_ = nullptr;
  curl_slist* header_lines_ = nullptr;
  std::size_t header_bytes_ = 0;
  bool headers_too_large_ = false;
  std::size_t sent_ = 0;   // position in prefix + payload
  std::size_t slice_ = 0;  // the slice that sent_ stands in
  std::size_t slice_offset_ = 0;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
};

}  // namespace arca::net
