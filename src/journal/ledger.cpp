#include "journal/ledger.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/crc32c.hpp"
#include "journal/segment_format.hpp"

namespace arca::journal {
namespace {

// An entry: magic, version, writer, totals, checksum over all before it. Entries are of equal size and aligned, so a
// damaged one hides no other.
constexpr std::uint64_t entry_magic = 0x31474445'4C435241ULL;  // "ARCLEDG1"
constexpr std::size_t at_writer = 8;
constexpr std::size_t at_totals = 16;
constexpr std::size_t at_crc = at_totals + totals_payload_size;
constexpr std::size_t entry_size = at_crc + 8;
static_assert(entry_size == 192);

using EntryBytes = std::array<std::byte, entry_size>;

std::string ledger_path(const std::string& state_directory) { return state_directory + "/ledger"; }

EntryBytes encode(const LedgerEntry& entry) {
  EntryBytes bytes{};
  base::store(bytes.data(), entry_magic);
  base::store(bytes.data() + at_writer, entry.writer.value);
  const std::vector<std::byte> totals = encode_totals(entry.totals);
  std::copy(totals.begin(), totals.end(), bytes.begin() + at_totals);
  base::store(bytes.data() + at_crc, base::crc32c(base::Bytes(bytes).first(at_crc)));
  return bytes;
}

std::optional<LedgerEntry> decode(base::Bytes bytes) {
  if (base::load<std::uint64_t>(bytes.data()) != entry_magic) return std::nullopt;
  if (base::load<std::uint32_t>(bytes.data() + at_crc) != base::crc32c(bytes.first(at_crc))) return std::nullopt;
  const auto totals = decode_totals(bytes.subspan(at_totals, totals_payload_size));
  if (!totals) return std::nullopt;
  return LedgerEntry{model::WriterId{base::load<std::uint64_t>(bytes.data() + at_writer)}, *totals};
}

}  // namespace

Result<Ledger> read_ledger(os::FileSystem& file_system, const std::string& state_directory) {
  Ledger ledger;
  const Result<std::unique_ptr<os::File>> file = file_system.open(ledger_path(state_directory), os::OpenMode::read);
  if (!file) {
    if (file.error().code() == ErrorCode::not_found) return ledger;
    return failure(file.error());
  }
  const Result<std::uint64_t> size = (*file)->size();
  if (!size) return failure(size.error());
  std::vector<std::byte> bytes(static_cast<std::size_t>(*size));
  const Result<std::size_t> count = (*file)->read_at(0, bytes);
  if (!count) return failure(count.error());

  std::set<std::uint64_t> seen;
  for (std::size_t at = 0; at < *count; at += entry_size) {
    const auto entry = at + entry_size <= *count ? decode(base::Bytes(bytes).subspan(at, entry_size)) : std::nullopt;
    if (!entry) {
      ++ledger.damaged_count;
    } else if (seen.insert(entry->writer.value).second) {
      ledger.entries.push_back(*entry);
    }
  }
  return ledger;
}

Result<void> append_to_ledger(os::FileSystem& file_system, const std::string& state_directory,
                              const LedgerEntry& entry) {
  // Two recoveries may finish two writers at the same moment; the file has one end.
  const Result<std::unique_ptr<os::LockFile>> lock =
      os::LockFile::acquire_waiting(ledger_path(state_directory) + ".lock");
  if (!lock) return failure(lock.error());
  const Result<Ledger> before = read_ledger(file_system, state_directory);
  if (!before) return failure(before.error());
  const bool is_there = std::any_of(before->entries.begin(), before->entries.end(),
                                    [&](const LedgerEntry& other) { return other.writer == entry.writer; });
  const std::string path = ledger_path(state_directory);
  const bool is_new = !file_system.exists(path);
  Result<std::unique_ptr<os::File>> file =
      file_system.open(path, is_new ? os::OpenMode::create_new : os::OpenMode::read_write);
  if (!file) return failure(file.error());
  if (!is_there) {
    const Result<std::uint64_t> size = (*file)->size();
    if (!size) return failure(size.error());
    // Behind a torn entry the next one begins at the next whole place.
    const std::uint64_t offset = (*size + entry_size - 1) / entry_size * entry_size;
    const EntryBytes bytes = encode(entry);
    const std::array<base::Bytes, 1> slice{base::Bytes(bytes)};
    if (const auto written = (*file)->write_at(offset, slice); !written) return written;
  }
  if (const auto synced = (*file)->sync(); !synced) return synced;  // an entry found may not have been synced
  return is_new ? file_system.sync_directory(state_directory) : Result<void>();
}

Result<Ledger> read_ledger(const std::string& state_directory) {
  return read_ledger(os::posix_file_system(), state_directory);
}

}  // namespace arca::journal
