// A small language for tests of the journal: append, settle, reopen, crash, cut, flip, contents.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fakes/fake_clock.hpp"
#include "fakes/fake_file_system.hpp"
#include "journal/journal.hpp"

namespace arca::journal {

using testing::ElementsAre;
using testing::IsEmpty;

inline std::vector<std::byte> payload_of(std::uint64_t sequence, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((sequence * 131 + i * 7 + 1) % 255 + 1);
  return bytes;
}

class JournalFixture : public testing::Test {
 protected:
  static constexpr model::WriterId writer{0xA5CA};

  JournalFixture() {
    options_.directory = "/state/journal";
    options_.writer = writer;
    options_.segment_size = 4096;
    options_.size_max = 1U << 20U;
    options_.sync_interval = base::Duration::zero();
  }
  ~JournalFixture() override { journal_.reset(); }

  static model::ChunkId id_of(std::uint64_t sequence) { return {writer, sequence}; }
  static model::Chunk chunk_of(std::uint64_t sequence, std::size_t size = 300,
                               model::Signal signal = model::Signal::traces) {
    model::Chunk chunk;
    chunk.id = id_of(sequence);
    chunk.signal = signal;
    chunk.item_count = 10;
    chunk.sealed_at =
        base::WallTime(std::chrono::seconds(sequence % 1'000'000'000));  // what 64 bits of nanoseconds hold
    chunk.payload = model::Payload::own(payload_of(sequence, size));
    return chunk;
  }

  Result<void> try_open() {
    journal_.reset();
    auto opened = Journal::open(files_, clock_, options_);
    if (!opened) return failure(opened.error());
    journal_ = std::move(*opened);
    return {};
  }
  Journal& journal() {
    if (!journal_) {
      const auto opened = try_open();
      EXPECT_TRUE(opened) << opened.error().message();
    }
    return *journal_;
  }
  void reopen() {
    journal_.reset();
    journal();
  }
  // The process dies: nothing is closed in order.
  void crash() {
    files_.fail_when([](fakes::Operation, const std::string&) { return true; });
    journal_.reset();
    files_.heal();
    files_.restart();
  }
  void lose_power(std::uint64_t seed) {
    crash();
    files_.lose_power(seed);
  }

  Result<void> try_append(std::uint64_t sequence, std::size_t size = 300,
                          model::Signal signal = model::Signal::traces) {
    return journal().append(chunk_of(sequence, size, signal));
  }
  void append(std::uint64_t sequence, std::size_t size = 300, model::Signal signal = model::Signal::traces) {
    const auto appended = try_append(sequence, size, signal);
    EXPECT_TRUE(appended) << appended.error().message();
  }
  Result<void> try_settle(std::uint64_t sequence, model::Verdict verdict = model::Verdict::delivered) {
    model::Ack ack;
    ack.chunk_id = id_of(sequence);
    ack.verdict = verdict;
    if (verdict != model::Verdict::delivered) ack.tier = model::Tier::journal;
    return journal().settle(ack);
  }
  void settle(std::uint64_t sequence, model::Verdict verdict = model::Verdict::delivered) {
    const auto settled = try_settle(sequence, verdict);
    EXPECT_TRUE(settled) << settled.error().message();
  }
  std::uint64_t claim(model::SignalSet signals = model::SignalSet::all()) {
    const auto claimed = journal().claim(signals, clock_.steady_now());
    EXPECT_TRUE(claimed) << claimed.error().message();
    return claimed && *claimed ? (*claimed)->chunk.id.sequence : 0;
  }
  // Claims all that is there, checks each payload and gives everything back.
  std::vector<std::uint64_t> contents() {
    std::vector<std::uint64_t> sequences;
    for (;;) {
      const auto claimed = journal().claim(model::SignalSet::all(), clock_.steady_now());
      EXPECT_TRUE(claimed) << claimed.error().message();
      if (!claimed || !*claimed) break;
      const model::Chunk& chunk = (*claimed)->chunk;
      EXPECT_EQ(chunk.payload.flatten(), payload_of(chunk.id.sequence, chunk.payload.size()));
      EXPECT_EQ(chunk.item_count, 10U);
      sequences.push_back(chunk.id.sequence);
    }
    for (const std::uint64_t sequence : sequences) journal().release(id_of(sequence), clock_.steady_now());
    return sequences;
  }
  void expect_law() {
    const model::Totals totals = journal().totals();
    const model::Backlog backlog = journal().backlog();
    for (std::size_t i = 0; i < model::signal_count; ++i) {
      const model::SignalTotals& of = totals[i];
      EXPECT_EQ(of.journaled, of.delivered + of.parked + of.quarantined + of.lost + backlog.item_count[i]);
    }
  }
  const model::SignalTotals& traces() { return (totals_ = journal().totals())[0]; }

  std::vector<std::string> segments() const {
    std::vector<std::string> paths;
    for (const std::string& path : files_.paths()) {
      if (path.ends_with(".segment")) paths.push_back(path);
    }
    return paths;
  }
  std::vector<std::string> kept_aside() const {
    std::vector<std::string> paths;
    for (const std::string& path : files_.paths()) {
      if (path.find("/damaged/") != std::string::npos) paths.push_back(path);
    }
    return paths;
  }
  void cut(const std::string& path, std::size_t size) {
    std::vector<std::byte> bytes = files_.contents(path);
    bytes.resize(size);
    files_.set_contents(path, bytes);
  }
  void flip(const std::string& path, std::size_t bit) {
    std::vector<std::byte> bytes = files_.contents(path);
    bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    files_.set_contents(path, bytes);
  }

  fakes::FakeFileSystem files_;
  fakes::FakeClock clock_;
  JournalOptions options_;
  std::unique_ptr<Journal> journal_;
  model::Totals totals_{};
};

}  // namespace arca::journal
