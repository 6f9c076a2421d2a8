#include <array>
#include <charconv>

#include "model/ack.hpp"
#include "model/chunk.hpp"

namespace arca::model {

struct Payload::Body {
  std::vector<std::byte> own;
  std::vector<base::Bytes> slices;
  std::size_t size = 0;
  std::shared_ptr<const void> owner;
};

Payload Payload::copy_of(base::Bytes bytes) { return own(std::vector<std::byte>(bytes.begin(), bytes.end())); }

Payload Payload::own(std::vector<std::byte> bytes) {
  auto body = std::make_shared<Body>();
  body->own = std::move(bytes);
  body->size = body->own.size();
  body->slices.emplace_back(body->own);
  Payload payload;
  payload.body_ = std::move(body);
  return payload;
}

Payload Payload::borrow(std::vector<base::Bytes> slices, std::shared_ptr<const void> owner) {
  auto body = std::make_shared<Body>();
  body->slices = std::move(slices);
  for (const base::Bytes slice : body->slices) body->size += slice.size();
  body->owner = std::move(owner);
  Payload payload;
  payload.body_ = std::move(body);
  return payload;
}

std::span<const base::Bytes> Payload::slices() const noexcept {
  return body_ ? std::span<const base::Bytes>(body_->slices) : std::span<const base::Bytes>();
}

std::size_t Payload::size() const noexcept { return body_ ? body_->size : 0; }

std::vector<std::byte> Payload::flatten() const {
  std::vector<std::byte> bytes;
  bytes.reserve(size());
  for (const base::Bytes slice : slices()) bytes.insert(bytes.end(), slice.begin(), slice.end());
  return bytes;
}

std::string to_string(WriterId id) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 0; i < 16; ++i) text[15 - i] = digits[(id.value >> (4 * i)) & 0xFU];
  return text;
}

std::string to_string(const ChunkId& id) { return to_string(id.writer) + "-" + std::to_string(id.sequence); }

std::string_view to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::delivered:
      return "delivered";
    case Verdict::parked:
      return "parked";
    case Verdict::rejected:
      return "rejected";
    case Verdict::retry:
      return "retry";
    case Verdict::unknown:
      return "unknown";
  }
  return "invalid";
}

}  // namespace arca::model
