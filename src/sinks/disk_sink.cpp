#include "sinks/disk_sink.hpp"

#include <exception>

namespace arca::sinks {
namespace {

// Less room than this is as good as none, and asked for again only after a while: space comes back when recovery
// removes a segment, not from one moment to the next.
constexpr std::uint64_t room_min = 64U << 10U;
constexpr base::Duration full_pause = std::chrono::milliseconds(250);

}  // namespace

model::Readiness DiskSink::readiness(model::Signal /*signal*/, base::SteadyTime now) noexcept {
  try {
    if (journal_.has_room_for(room_min)) return {};
  } catch (const std::exception&) {
    // Not ready is the careful answer; submit would tell the reason.
  }
  return {false, now + full_pause};
}

void DiskSink::submit(model::Chunk chunk, model::AckCallback done) noexcept {
  model::Ack ack;
  ack.chunk_id = chunk.id;
  ack.verdict = model::Verdict::retry;
  try {
    if (auto appended = journal_.append(chunk)) {
      ack.verdict = model::Verdict::parked;
      ack.tier = model::Tier::journal;
    } else {
      ack.reason = appended.error().message();
      if (appended.error().code() == ErrorCode::full) ack.retry_after = full_pause;
    }
  } catch (const std::exception& error) {
    ack.reason = error.what();
  }
  done(std::move(ack));
}

}  // namespace arca::sinks
