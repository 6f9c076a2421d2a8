#include "net/gzip.hpp"

#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <cstdint>
#include <memory>

namespace arca::net {
namespace {

// ISA-L counts in 32 bits; longer slices are fed in parts.
constexpr std::size_t feed_size_max = 1U << 30U;

// Takes const away for a C interface that only reads.
std::uint8_t* input_of(base::Bytes bytes) noexcept {
  return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

// Room for what follows: what was typical of OTLP (a fifth) first, then doubling.
void grow(std::vector<std::byte>& out, isal_zstream& stream) {
  const std::size_t used = stream.total_out;
  out.resize(std::max<std::size_t>(out.size() * 2, 4096));
  stream.next_out = reinterpret_cast<std::uint8_t*>(out.data()) + used;
  stream.avail_out = static_cast<std::uint32_t>(std::min(out.size() - used, feed_size_max));
}

}  // namespace

std::optional<std::vector<std::byte>> gzip(const model::Payload& payload) {
  const auto stream = std::make_unique<isal_zstream>();  // 100 KiB and more: not for a stack
  std::vector<std::uint8_t> level_buffer(ISAL_DEF_LVL1_DEFAULT);
  isal_deflate_init(stream.get());
  stream->level = 1;
  stream->level_buf = level_buffer.data();
  stream->level_buf_size = static_cast<std::uint32_t>(level_buffer.size());
  stream->gzip_flag = IGZIP_GZIP;
  stream->flush = NO_FLUSH;
  std::vector<std::byte> out(payload.size() / 4 + 512);
  stream->next_out = reinterpret_cast<std::uint8_t*>(out.data());
  stream->avail_out = static_cast<std::uint32_t>(std::min(out.size(), feed_size_max));

  const auto deflate_all_input = [&]() -> bool {
    do {
      if (stream->avail_out == 0) grow(out, *stream);
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
    if (stream->avail_out == 0) grow(out, *stream);
    if (isal_deflate(stream.get()) != COMP_OK) return std::nullopt;
  }
  out.resize(stream->total_out);
  return out;
}

std::optional<std::vector<std::byte>> gunzip(base::Bytes compressed, std::size_t size_max) {
  if (compressed.size() > feed_size_max) return std::nullopt;
  const auto state = std::make_unique<inflate_state>();
  isal_inflate_init(state.get());
  state->crc_flag = ISAL_GZIP;
  state->next_in = input_of(compressed);
  state->avail_in = static_cast<std::uint32_t>(compressed.size());
  std::vector<std::byte> out(std::min<std::size_t>(size_max, 4096));
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
