#include "cli/inspect_walk.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/journal_view.hpp"
#include "cli/look_again.hpp"
#include "cli/units.hpp"
#include "journal/pool_layout.hpp"
#include "journal/segment_reader.hpp"
#include "journal/writer_directory.hpp"

namespace arca::cli {

namespace {

using Json = nlohmann::ordered_json;
using journal::RecordType;
using journal::SegmentItem;
using journal::SegmentReader;

const char* type_text(RecordType type) {
  switch (type) {
    case RecordType::chunk:
      return "chunk";
    case RecordType::settle:
      return "settle";
    case RecordType::totals:
      return "totals";
    case RecordType::index:
      return "index";
  }
  return "unknown";
}

const char* settlement_text(journal::Settlement settlement) {
  switch (settlement) {
    case journal::Settlement::none:
      return "none";
    case journal::Settlement::delivered:
      return "delivered";
    case journal::Settlement::parked:
      return "parked";
    case journal::Settlement::rejected:
      return "rejected";
    case journal::Settlement::lost:
      return "lost";
  }
  return "unknown";
}

const char* header_text(journal::HeaderState state) {
  switch (state) {
    case journal::HeaderState::good:
      return "good";
    case journal::HeaderState::unknown_version:
      return "unknown_version";
    case journal::HeaderState::foreign:
      return "foreign";
    case journal::HeaderState::damaged:
      return "damaged";
  }
  return "unknown";
}

Json totals_as_json(const model::SignalTotals& totals) {
  return {{"accepted", totals.accepted}, {"journaled", totals.journaled},     {"delivered", totals.delivered},
          {"parked", totals.parked},     {"quarantined", totals.quarantined}, {"refused", totals.refused},
          {"lost", totals.lost}};
}

void show_totals(int depth, const model::Totals& totals, InspectOutput& output) {
  for (const model::Signal signal : model::all_signals) {
    Json facts = {{"signal", model::to_string(signal)}};
    facts.update(totals_as_json(totals[model::index_of(signal)]));
    output.show(depth, "totals", facts);
  }
}

Result<void> show_record(SegmentReader& reader, const SegmentItem& item, int depth, InspectOutput& output) {
  const journal::RecordHeader& header = item.header;
  Json facts = {{"offset", item.offset}, {"size", item.size}};
  if (header.type == RecordType::chunk || header.type == RecordType::settle) {
    facts["id"] = model::to_string(header.id);
    facts["signal"] = model::to_string(header.signal);
    facts["items"] = header.item_count;
  }
  if (header.type == RecordType::chunk) facts["sealed"] = format_wall_time(header.sealed_at);
  if (header.type == RecordType::settle) facts["verdict"] = settlement_text(header.settlement);
  if (header.is_copy) facts["copy"] = true;
  output.show(depth, type_text(header.type), facts);
  if (header.type == RecordType::settle) return {};
  auto payload = reader.read_payload(item);
  if (payload && !*payload && !reader.is_closed()) {  // its writer may be just there
    look_again([&] {
      payload = reader.read_payload(item);
      return !payload || *payload;
    });
  }
  if (!payload) return failure(payload.error());
  if (!*payload) {
    output.damage(depth + 1, fmt::format("offset {}", item.offset), "the checksum of its payload does not match");
    return {};
  }
  if (header.type == RecordType::chunk) output.show_request(depth + 1, header.signal, **payload);
  if (header.type == RecordType::totals) {
    if (const auto totals = journal::decode_totals(**payload)) show_totals(depth + 1, *totals, output);
  }
  return {};
}

Result<void> inspect_ledger(const std::string& state_directory, int depth, InspectOutput& output) {
  auto ledger = journal::read_ledger(state_directory);
  if (ledger && ledger->damaged_count != 0) {  // an entry may be just being written
    look_again([&] {
      ledger = journal::read_ledger(state_directory);
      return !ledger || ledger->damaged_count == 0;
    });
  }
  if (!ledger) return failure(ledger.error());
  output.show(depth, "ledger", {{"path", state_directory + "/ledger"}, {"writers", ledger->entries.size()}});
  for (const journal::LedgerEntry& entry : ledger->entries) {
    output.show(depth + 1, "finished", {{"writer", model::to_string(entry.writer)}});
    show_totals(depth + 2, entry.totals, output);
  }
  if (ledger->damaged_count != 0) {
    output.damage(depth + 1, "ledger", fmt::format("{} entries cannot be read", ledger->damaged_count));
  }
  return {};
}

// Of something that was just listed. What its writer has removed since, since it was settled or finished, is no damage.
void note_failure(const Result<void>& done, const std::string& where, int depth, InspectOutput& output) {
  if (done) return;
  if (done.error().code() == ErrorCode::not_found) return output.show(depth, "gone", {{"path", where}});
  output.damage(depth, where, done.error().message());
}

void inspect_writer(os::FileSystem& file_system, const std::string& directory, bool live, int depth,
                    InspectOutput& output) {
  output.show(depth, "writer", {{"path", directory}, {"live", live}});
  if (file_system.exists(directory + "/pool")) {
    note_failure(inspect_pool(directory + "/pool", depth + 1, output), directory + "/pool", depth + 1, output);
  } else {
    output.show(depth + 1, "no pool", {{"path", directory + "/pool"}});
  }
  if (file_system.exists(directory + "/journal")) {
    note_failure(inspect_journal(file_system, directory + "/journal", depth + 1, output), directory + "/journal",
                 depth + 1, output);
  }
}

Result<void> inspect_state(os::FileSystem& file_system, const std::string& directory, InspectOutput& output) {
  output.show(0, "state", {{"path", directory}});
  const auto writers = journal::list_writers(directory);
  if (!writers) return failure(writers.error());
  for (const journal::WriterEntry& writer : *writers) inspect_writer(file_system, writer.path, writer.live, 1, output);
  if (file_system.exists(directory + "/ledger")) {
    note_failure(inspect_ledger(directory, 1, output), directory + "/ledger", 1, output);
  }
  const auto quarantined = file_system.list(directory + "/quarantine");
  if (!quarantined) return {};
  for (const std::string& name : *quarantined) {
    const std::string path = directory + "/quarantine/" + name;
    output.show(1, "quarantine", {{"path", path}});
    note_failure(inspect_journal(file_system, path, 2, output), path, 2, output);
  }
  return {};
}

// The first eight bytes tell our files apart; nothing if the file is shorter.
std::optional<std::uint64_t> magic_of(os::FileSystem& file_system, const std::string& path) {
  const auto file = file_system.open(path, os::OpenMode::read);
  if (!file) return std::nullopt;
  std::array<std::byte, 8> bytes{};
  const auto got = (*file)->read_at(0, bytes);
  return got && *got == bytes.size() ? std::optional(base::load<std::uint64_t>(bytes.data())) : std::nullopt;
}

}  // namespace

Result<void> inspect_segment(os::FileSystem& file_system, const std::string& path, int depth, InspectOutput& output) {
  auto reader = SegmentReader::open(file_system, path);
  if (!reader) return failure(reader.error());
  output.show(depth, "segment",
              {{"path", path},
               {"size", reader->file_size()},
               {"header", header_text(reader->header_state())},
               {"version", reader->header().version},
               {"writer", model::to_string(reader->header().writer)},
               {"number", reader->header().number},
               {"created", format_wall_time(reader->header().created_at)},
               {"closed", reader->is_closed()}});
  if (reader->header_state() != journal::HeaderState::good) {
    output.damage(depth + 1, path, std::string("its header is ") + header_text(reader->header_state()));
  }
  if (!reader->is_readable()) return {};
  for (;;) {
    const auto item = reader->next();
    if (!item) return failure(item.error());
    if (item->kind == SegmentItem::Kind::end) {
      if (item->size != 0) {
        output.show(depth + 1, item->is_zeros ? "reserved" : "tail", {{"offset", item->offset}, {"size", item->size}});
      }
      return {};
    }
    if (item->kind == SegmentItem::Kind::gap) {
      output.damage(depth + 1, fmt::format("offset {}", item->offset),
                    fmt::format("{} bytes are no record", item->size));
      continue;
    }
    if (const auto done = show_record(*reader, *item, depth + 1, output); !done) return done;
  }
}

Result<void> inspect_journal(os::FileSystem& file_system, const std::string& directory, int depth,
                             InspectOutput& output) {
  const auto names = file_system.list(directory);
  if (!names) return failure(names.error());
  const auto view = view_journal(file_system, directory);
  if (!view) return failure(view.error());
  output.show(depth, "journal",
              {{"path", directory},
               {"segments", view->segment_count},
               {"size", view->size},
               {"unsettled_chunks", view->unsettled.size()},
               {"unsettled_bytes", view->unsettled_bytes()}});
  show_totals(depth + 1, view->totals, output);
  for (const std::string& name : *names) {
    const std::string path = directory + "/" + name;
    if (journal::parse_segment_name(name)) {
      note_failure(inspect_segment(file_system, path, depth + 1, output), path, depth + 1, output);
    } else {
      output.show(depth + 1, name == "damaged" ? "kept aside" : "other file", {{"path", path}});
    }
  }
  return {};
}

Result<void> inspect_path(os::FileSystem& file_system, const std::string& path, InspectOutput& output) {
  if (!file_system.exists(path)) return failure(ErrorCode::not_found, path + " does not exist");
  if (file_system.list(path)) {
    if (file_system.exists(path + "/writers") || file_system.exists(path + "/ledger")) {
      return inspect_state(file_system, path, output);
    }
    if (file_system.exists(path + "/journal") || file_system.exists(path + "/pool")) {
      inspect_writer(file_system, path, os::LockFile::is_held(path + "/lock"), 0, output);
      return {};
    }
    return inspect_journal(file_system, path, 0, output);
  }
  // A writer's `pool` is a symbolic link, which the file system's door does not follow.
  const std::filesystem::path target = std::filesystem::weakly_canonical(path);
  if (target.filename() == "ledger") return inspect_ledger(target.parent_path().string(), 0, output);
  const auto magic = magic_of(file_system, target.string());
  if (magic == base::load<std::uint64_t>(base::as_bytes({journal::layout::magic.data(), 8}).data())) {
    return inspect_pool(target.string(), 0, output);
  }
  if (magic == journal::segment_magic || journal::parse_segment_name(target.filename().string())) {
    return inspect_segment(file_system, target.string(), 0, output);
  }
  return failure(ErrorCode::corrupt, path + " is no pool, segment, ledger or directory of Arca");
}

}  // namespace arca::cli
