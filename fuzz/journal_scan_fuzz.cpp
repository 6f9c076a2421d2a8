// Feeds arbitrary bytes to the journal as its only segment: as they are, and behind a good header so that the fuzzer
// reaches the records. Opening, claiming, settling and reopening must never crash, and the law must hold.
#include <algorithm>
#include <cstdlib>

#include "fakes/fake_clock.hpp"
#include "fakes/fake_file_system.hpp"
#include "journal/journal.hpp"
#include "journal/segment_format.hpp"
#include "os/log.hpp"

namespace {

using namespace arca;

void require_law(const journal::Journal& journal) {
  const model::Totals totals = journal.totals();
  const model::Backlog backlog = journal.backlog();
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    const model::SignalTotals& of = totals[i];
    const std::uint64_t sum = of.delivered + of.parked + of.quarantined + of.lost + backlog.item_count[i];
    if (of.journaled != sum) std::abort();
  }
}

void run(std::vector<std::byte> segment) {
  fakes::FakeFileSystem files;
  fakes::FakeClock clock;
  journal::JournalOptions options;
  options.directory = "/journal";
  options.writer = model::WriterId{1};
  options.segment_size = 64U << 10U;
  options.sync_interval = base::Duration::zero();
  files.set_contents("/journal/0000000000000001.segment", std::move(segment));
  for (int round = 0; round < 2; ++round) {
    auto journal = journal::Journal::open(files, clock, options);
    if (!journal) return;
    require_law(**journal);
    model::Chunk chunk;
    chunk.id = {options.writer, 1000000U + static_cast<std::uint64_t>(round)};
    chunk.item_count = 1;
    chunk.payload = model::Payload::copy_of(base::as_bytes("chunk"));
    if (!(*journal)->append(chunk) && !(*journal)->contains(chunk.id)) continue;
    for (bool is_even = false;; is_even = !is_even) {
      const auto claim = (*journal)->claim(model::SignalSet::all(), clock.steady_now());
      if (!claim || !*claim) break;
      model::Ack ack;
      ack.chunk_id = (*claim)->chunk.id;
      ack.verdict = model::Verdict::delivered;
      if (is_even) static_cast<void>((*journal)->settle(ack));
    }
    require_law(**journal);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  os::set_log_level(static_cast<os::LogLevel>(0));
  const auto* const bytes = reinterpret_cast<const std::byte*>(data);
  run({bytes, bytes + size});
  journal::SegmentHeader header;
  header.writer = model::WriterId{1};
  header.number = 1;
  header.record_magic = journal::record_magic_of(header.writer, header.number, header.created_at);
  const journal::SegmentHeaderBytes head = journal::encode_segment_header(header);
  std::vector<std::byte> segment(head.begin(), head.end());
  // Each 56 bytes of input become a record header with right magic and checksum.
  for (std::size_t at = 0; at + journal::record_header_size <= size; at += journal::record_header_size) {
    journal::RecordHeader record;
    record.type = static_cast<journal::RecordType>(1 + data[at] % 4);
    record.signal = static_cast<model::Signal>(data[at + 1] % 3);
    record.settlement = static_cast<journal::Settlement>(data[at + 2]);
    record.is_copy = data[at + 3] % 2 == 1;
    record.payload_size = data[at + 4];
    record.id = {header.writer, data[at + 5]};
    record.item_count = data[at + 6];
    const auto encoded = journal::encode_record_header(record, header.record_magic, segment.size());
    segment.insert(segment.end(), encoded.begin(), encoded.end());
    segment.resize(segment.size() + journal::aligned(record.payload_size) * (data[at + 7] % 2));
  }
  run(std::move(segment));
  return 0;
}
