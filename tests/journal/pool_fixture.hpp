// PoolTest: a pool in a temporary directory, records that carry a number, and the numbers that come out of it. For
// pool_test.cpp and pool_survival_test.cpp.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/varint.hpp"
#include "fakes/fake_clock.hpp"
#include "journal/pool.hpp"
#include "support/temporary_directory.hpp"

namespace arca::journal {

using model::Signal;

// A record of the grammar whose body is the number, then filling.
inline std::vector<std::byte> record_of(std::uint64_t number, std::size_t filling = 40) {
  const std::size_t body = sizeof number + filling;
  std::vector<std::byte> bytes(1 + base::varint_size(body));
  bytes[0] = model::record_tag;
  base::write_varint(bytes.data() + 1, body);
  const auto* at = reinterpret_cast<const std::byte*>(&number);
  bytes.insert(bytes.end(), at, at + sizeof number);
  bytes.resize(bytes.size() + filling, std::byte{0x5A});
  return bytes;
}

// Takes a length-delimited field off the front.
inline base::Bytes take_field(base::Bytes& rest, std::byte tag) {
  EXPECT_EQ(rest.front(), tag);
  rest = rest.subspan(1);
  const auto length = base::read_varint(rest);
  EXPECT_TRUE(length && *length <= rest.size());
  const base::Bytes body = rest.first(*length);
  rest = rest.subspan(*length);
  return body;
}

inline constexpr std::string_view resource_bytes = "\x0A\x02RR";
inline constexpr std::string_view scope_bytes = "\x0A\x02SS";

// The numbers in a request, in order. Checks the framing on the way.
inline std::vector<std::uint64_t> numbers_in(const model::Payload& payload) {
  const std::vector<std::byte> flat = payload.flatten();
  std::vector<std::uint64_t> numbers;
  base::Bytes request = flat;
  while (!request.empty()) {
    base::Bytes resource = take_field(request, std::byte{0x0A});
    resource = resource.subspan(resource_bytes.size());
    while (!resource.empty()) {
      base::Bytes scope = take_field(resource, std::byte{0x12});
      scope = scope.subspan(scope_bytes.size());
      while (!scope.empty()) numbers.push_back(base::load<std::uint64_t>(take_field(scope, model::record_tag).data()));
    }
  }
  return numbers;
}

// Not thread-safe, but for append().
class PoolTest : public ::testing::Test {
 protected:
  std::unique_ptr<Pool> make(std::uint64_t size = 4U << 20U, model::WriterId writer = {77}) {
    PoolOptions options;
    options.writer = writer;
    options.path = directory_ / "pool";
    options.size_max = size;
    options.size_initial = size;
    auto pool = Pool::create(options, clock_);
    EXPECT_TRUE(pool) << pool.error().message();
    context_ = *(*pool)->intern({base::as_bytes(resource_bytes), base::as_bytes(scope_bytes)});
    return std::move(*pool);
  }
  std::unique_ptr<Pool> adopt() {
    auto pool = Pool::adopt(directory_ / "pool", clock_);
    EXPECT_TRUE(pool) << pool.error().message();
    return std::move(*pool);
  }
  void append(Pool& pool, std::uint64_t number, Signal signal = Signal::traces, std::size_t filling = 40) {
    ASSERT_EQ(pool.append(signal, context_, record_of(number, filling), 1), AppendStatus::accepted);
  }
  std::optional<model::Claim> claim(Pool& pool, model::SignalSet signals = model::SignalSet::all()) {
    auto claim = pool.claim(signals, clock_.steady_now());
    EXPECT_TRUE(claim) << claim.error().message();
    return *claim;
  }
  static model::Ack ack(const model::Claim& claim, model::Verdict verdict = model::Verdict::delivered) {
    model::Ack ack;
    ack.chunk_id = claim.chunk.id;
    ack.verdict = verdict;
    return ack;
  }
  std::vector<std::uint64_t> drain(Pool& pool) {
    std::vector<std::uint64_t> numbers;
    while (const auto next = claim(pool)) {
      const auto found = numbers_in(next->chunk.payload);
      EXPECT_EQ(found.size(), next->chunk.item_count);
      numbers.insert(numbers.end(), found.begin(), found.end());
      EXPECT_TRUE(pool.settle(ack(*next)));
    }
    return numbers;
  }
  static void expect_law(const Pool& pool) {
    const auto totals = pool.totals();
    const auto memory = pool.in_memory();
    for (std::size_t i = 0; i < model::signal_count; ++i) {
      const auto& t = totals[i];
      EXPECT_EQ(t.accepted, t.delivered + t.parked + t.journaled + t.quarantined + t.lost + memory[i])
          << "signal " << i;
    }
  }

  support::TemporaryDirectory directory_;
  fakes::FakeClock clock_;
  model::ContextId context_ = 0;
};

}  // namespace arca::journal
