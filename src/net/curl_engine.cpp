#include "net/curl_engine.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "net/curl_engine_state.hpp"
#include "os/fork.hpp"

namespace arca::net {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

std::string_view EngineAnswer::header(std::string_view name) const noexcept {
  std::string_view found;
  for (const auto& [key, value] : headers)
    if (equal_ignoring_case(key, name)) found = value;
  return found;
}

bool EngineAnswer::has_header(std::string_view name) const noexcept {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const auto& header) { return equal_ignoring_case(header.first, name); });
}

bool is_valid_header(std::string_view name, std::string_view value) noexcept {
  constexpr std::string_view punctuation = "!#$%&'*+-.^_`|~";
  const bool token = std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           punctuation.find(c) != std::string_view::npos;
  });
  const bool printable = std::all_of(value.begin(), value.end(), [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
  });
  return token && !name.empty() && printable;
}

CurlEngine::CurlEngine(EngineOptions options, os::Clock& clock)
    : state_(std::make_unique<State>(std::move(options), clock)) {}

CurlEngine::~CurlEngine() {
  // In a forked child the handles, locks and the thread belong to a process that goes on without us.
  if (state_->is_inherited()) {
    static_cast<void>(state_.release());
    return;
  }
  state_->stop();
}

void CurlEngine::start(EngineRequest request, Done done) noexcept {
  if (state_->is_inherited()) {
    EngineAnswer answer;
    answer.error = "this transport was made by the parent process; a forked child has to make its own";
    done(std::move(answer));
    return;
  }
  state_->start(std::move(request), std::move(done));
}

void CurlEngine::cancel_all() noexcept {
  if (!state_->is_inherited()) state_->cancel_all();
}

void CurlEngine::close() noexcept {
  if (!state_->is_inherited()) state_->stop();
}

}  // namespace arca::net
