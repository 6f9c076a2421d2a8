#include "net/gzip.hpp"

#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

namespace arca::net {
namespace {

// ISA-L counts in 32 bits; longer slices are fed in parts.
constexpr std::size_t feed_size_max = 1U << 30U;

// Takes const away for a C interface that only reads.
std::uint8_t* input_of(base::Bytes bytes) noexcept {
  return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

// Where compressed bytes go: grows by doubling. Nothing of it is cleared before it is written, as a vector would do.
class Room {
 public:
  explicit Room(std::size_t size) : size_(size), bytes_(std::make_unique_for_overwrite<std::byte[]>(size)) {}

  void give(isal_zstream& stream) {
    if (stream.total_out == size_) {
      auto larger = std::make_unique_for_overwrite<std::byte[]>(2 * size_);
      std::copy_n(bytes_.get(), size_, larger.get());
      bytes_ = std::move(larger);
      size_ *= 2;
    }
    stream.next_out = reinterpret_cast<std::uint8_t*>(bytes_.get()) + stream.total_out;
    stream.avail_out = static_cast<std::uint32_t>(std::min(size_ - stream.total_out, feed_size_max));
  }
  [[nodiscard]] std::vector<std::byte> first(std::size_t size) const { return {bytes_.get(), bytes_.get() + size}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte[]> bytes_;
};

}  // namespace

std::optional<std::vector<std::byte>> gzip(const model::Payload& payload) {
  // 400 KiB together, too much for a stack; initialized as far as needed by isal_deflate_init and at the first bytes.
  const auto stream = std::make_unique_for_overwrite<isal_zstream>();
  const auto level_buffer = std::make_unique_for_overwrite<std::uint8_t[]>(ISAL_DEF_LVL1_DEFAULT);
  isal_deflate_init(stream.get());
  stream->level = 1;
  stream->level_buf = level_buffer.get();
  stream->level_buf_size = ISAL_DEF_LVL1_DEFAULT;
  stream->gzip_flag = IGZIP_GZIP;
  stream->flush = NO_FLUSH;
  Room room(payload.size() / 4 + 4096);  // typical of OTLP is a fifth
  room.give(*stream);

  const auto deflate_all_input = [&]() -> bool {
    do {
      if (stream->avail_out == 0) room.give(*stream);
      if (isal_deflate(stream.get()) != COMP_OK) return false;
    } while (stream->avail_in > 0 || stream->avail_out == 0);
    return true;
  };
  for (base::Bytes slice : payload.slices()) {
    while (!slice.empty()) {
      const base::Bytes part = slice.first(std::min(slice.size(), feed_size_max));
      stream->next_in = input_of(part);
      stream->avail_in = static_cast<std::uint32_t>(part.size());
      if (!deflate_all_input()) return std::nullopt;
      slice = slice.subspan(part.size());
    }
  }
  stream->end_of_stream = 1;
  stream->next_in = nullptr;
  stream->avail_in = 0;
  while (stream->internal_state.state != ZSTATE_END) {
    if (stream->avail_out == 0) room.give(*stream);
    if (isal_deflate(stream.get()) != COMP_OK) return std::nullopt;
  }
  return room.first(stream->total_out);
}

std::optional<std::vector<std::byte>> gunzip(base::Bytes compressed, std::size_t size_max) {
  if (compressed.size() > feed_size_max) return std::nullopt;
  const auto state = std::make_unique_for_overwrite<inflate_state>();
  isal_inflate_init(state.get());
  state->crc_flag = ISAL_GZIP;
  state->next_in = input_of(compressed);
  state->avail_in = static_cast<std::uint32_t>(compressed.size());
  // Room for what is typical of OTLP; more, up to size_max, only as it comes.
  std::vector<std::byte> out(std::min<std::size_t>(size_max, 4096 + 10 * compressed.size()));
  std::size_t used = 0;
  for (;;) {
    state->next_out = reinterpret_cast<std::uint8_t*>(out.data()) + used;
    state->avail_out = static_cast<std::uint32_t>(out.size() - used);
    const std::uint32_t room = state->avail_out;
    if (isal_inflate(state.get()) != ISAL_DECOMP_OK) return std::nullopt;
    used += room - state->avail_out;
    if (state->block_state == ISAL_BLOCK_FINISH) break;
    if (state->avail_out > 0) return std::nullopt;    // it ends before its end
    if (out.size() >= size_max) return std::nullopt;  // a bomb, or simply too much
    out.resize(std::min(size_max, out.size() * 2));
  }
  out.resize(used);
  return out;
}

}  // namespace arca::net
