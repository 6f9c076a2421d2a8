#include "journal/writer_directory.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/crash_point.hpp"
#include "journal/ledger.hpp"
#include "journal/segment_reader.hpp"
#include "os/file_system.hpp"
#include "os/log.hpp"
#include "os/private_directory.hpp"
#include "os/random.hpp"

namespace arca::journal {
namespace {

// A directory under this prefix is not yet, or no longer, a writer.
constexpr std::string_view unborn_prefix = "new-";

// Whoever starts at the same moment may be tidying up; a hundred such in a row are something else.
constexpr int create_attempts_max = 100;

std::string writers_path(const std::string& state_directory) { return state_directory + "/writers"; }

std::optional<model::WriterId> parse_writer_name(const std::string& name) {
  const std::optional<std::uint64_t> value = parse_segment_name(name + ".segment");  // 16 hexadecimal digits
  if (!value || *value == 0) return std::nullopt;
  return model::WriterId{*value};
}

os::FileSystem& files() { return os::posix_file_system(); }

// A creator that died before its directory had a name left nothing that anybody was promised.
void remove_unborn(const std::string& writers) {
  const Result<std::vector<std::string>> names = files().list(writers);
  if (!names) return;
  for (const std::string& name : *names) {
    if (!name.starts_with(unborn_prefix)) continue;
    const std::string path = writers + "/" + name;
    // Only what we hold ourselves: whose lock could not be asked for may be alive.
    const Result<std::unique_ptr<os::LockFile>> lock = os::LockFile::acquire(path + "/lock");
    if (!lock) continue;
    static_cast<void>(files().remove(path + "/lock"));
    static_cast<void>(files().remove_directory(path));  // fails if anything else is in it, as it should
  }
}

// So much of the disk is in the lock file's name, that a writer can be finished, and so make room, on a full disk.
constexpr std::uint64_t finishing_room = 8192;  // a block each for the ledger and its lock file

Result<void> reserve_room_to_finish(const std::string& lock_path) {
  const auto file = files().open(lock_path, os::OpenMode::read_write);
  if (!file) return failure(file.error());
  return (*file)->allocate(0, finishing_room);
}

Result<void> note_in_ledger(const std::string& state_directory, const LedgerEntry& entry,
                            const std::string& lock_path) {
  const Result<void> noted = append_to_ledger(files(), state_directory, entry);
  if (noted || noted.error().code() != ErrorCode::full) return noted;
  const auto file = files().open(lock_path, os::OpenMode::read_write);
  if (!file) return noted;
  if (!(*file)->truncate(0)) return noted;
  return append_to_ledger(files(), state_directory, entry);
}

// Removes what is certainly a settled segment of this writer. The rest is for people.
void remove_segments(const std::string& directory, model::WriterId writer) {
  const Result<std::vector<std::string>> names = files().list(directory);
  if (!names) return;
  for (const std::string& name : *names) {
    const std::string path = directory + "/" + name;
    const bool is_unfinished = name.ends_with(".segment.new");
    if (!is_unfinished && !parse_segment_name(name)) continue;
    if (!is_unfinished) {
      const Result<SegmentReader> reader = SegmentReader::open(files(), path);
      if (!reader || reader->header_state() != HeaderState::good || reader->header().writer != writer) continue;
    }
    if (const auto removed = files().remove(path); !removed) {
      os::log(os::LogLevel::warn, "finished writer: {}", removed.error().message());
    }
  }
}

// In a copy of a state directory the link still names the pool of the original, which may be alive.
bool is_ours_to_remove(const std::string& pool) {
  const Result<std::unique_ptr<os::LockFile>> lock = os::LockFile::acquire_existing(pool);
  return lock.has_value();
}

}  // namespace

WriterDirectory::WriterDirectory(std::string state_directory, model::WriterId id, std::string path,
                                 std::unique_ptr<os::LockFile> lock) noexcept
    : state_directory_(std::move(state_directory)), id_(id), path_(std::move(path)), lock_(std::move(lock)) {}

// One attempt. Busy or not_found: somebody who tidies up took the lock or the directory meanwhile.
Result<std::unique_ptr<WriterDirectory>> WriterDirectory::try_create(const std::string& state_directory) {
  const std::string writers = writers_path(state_directory);
  if (const auto made = files().make_directories(writers); !made) return failure(made.error());
  const model::WriterId id{os::random_from_kernel()};
  const std::string path = writers + "/" + model::to_string(id);
  const std::string unborn = writers + "/" + std::string(unborn_prefix) + model::to_string(id);
  if (files().exists(path) || files().exists(unborn)) return failure(ErrorCode::busy, path + " exists");
  if (const auto made = os::make_private_directory(unborn); !made) return failure(made.error());
  Result<std::unique_ptr<os::LockFile>> lock = os::LockFile::acquire(unborn + "/lock");
  if (!lock) {
    const ErrorCode code = lock.error().code();
    if (code != ErrorCode::busy && code != ErrorCode::not_found) static_cast<void>(files().remove_directory(unborn));
    return failure(lock.error());
  }
  if (const auto reserved = reserve_room_to_finish(unborn + "/lock"); !reserved) {
    static_cast<void>(files().remove(unborn + "/lock"));
    static_cast<void>(files().remove_directory(unborn));
    return failure(reserved.error());
  }
  if (const auto renamed = files().rename(unborn, path); !renamed) return failure(renamed.error());
  if (const auto synced = files().sync_directory(writers); !synced) return failure(synced.error());
  return std::unique_ptr<WriterDirectory>(new WriterDirectory(state_directory, id, path, std::move(*lock)));
}

Result<std::unique_ptr<WriterDirectory>> WriterDirectory::create(const std::string& state_directory) {
  remove_unborn(writers_path(state_directory));
  for (int attempt = 1;; ++attempt) {
    Result<std::unique_ptr<WriterDirectory>> made = try_create(state_directory);
    if (made || attempt == create_attempts_max) return made;
    const ErrorCode code = made.error().code();
    if (code != ErrorCode::busy && code != ErrorCode::not_found) return made;
  }
}

Result<std::unique_ptr<WriterDirectory>> WriterDirectory::adopt(const std::string& state_directory,
                                                                model::WriterId id) {
  const std::string path = writers_path(state_directory) + "/" + model::to_string(id);
  if (!files().exists(path)) return failure(ErrorCode::not_found, fmt::format("there is no writer {}", path));
  Result<std::unique_ptr<os::LockFile>> lock = os::LockFile::acquire(path + "/lock");
  if (!lock) return failure(lock.error());
  return std::unique_ptr<WriterDirectory>(new WriterDirectory(state_directory, id, path, std::move(*lock)));
}

Result<void> WriterDirectory::finish(const model::Totals& totals) {
  // First, and synced: from here on a crash leaves a directory that can be finished again, and counts once.
  if (const auto noted = note_in_ledger(state_directory_, {id_, totals}, path_ + "/lock"); !noted) return noted;

  base::crash_point("writer.finish.noted");
  const Result<std::string> target = os::read_symlink(pool_link());
  if (target && target->ends_with("/" + model::to_string(id_) + ".pool") && is_ours_to_remove(*target)) {
    if (const auto removed = files().remove(*target); !removed) return removed;
  }
  // Also where the directory was moved and the link no longer names them.
  const std::string beside = fmt::format("{}/{}.pool", path_, model::to_string(id_));
  for (const std::string& name : {pool_link(), path_ + "/pool.data", beside}) {
    if (const auto removed = files().remove(name); !removed) return removed;
  }
  base::crash_point("writer.finish.pool_removed");
  remove_segments(journal_path(), id_);
  base::crash_point("writer.finish.journal_removed");
  static_cast<void>(files().remove_directory(journal_path()));
  if (files().exists(journal_path())) {
    // Damaged records kept aside, or files that are not ours.
    const std::string kept = state_directory_ + "/damaged";
    if (const auto made = files().make_directories(kept); !made) return made;
    const std::string place = fmt::format("{}/{}", kept, model::to_string(id_));
    if (const auto moved = files().rename(journal_path(), place); !moved) return moved;
    os::log(os::LogLevel::warn, "writer {} is finished; what could not be read of its journal is kept in {}",
            model::to_string(id_), place);
  }
  if (const auto removed = files().remove(path_ + "/lock"); !removed) return removed;
  return files().remove_directory(path_);
}

Result<std::vector<WriterEntry>> list_writers(const std::string& state_directory) {
  const std::string writers = writers_path(state_directory);
  const Result<std::vector<std::string>> names = files().list(writers);
  std::vector<WriterEntry> entries;
  if (!names) {
    if (names.error().code() == ErrorCode::not_found) return entries;
    return failure(names.error());
  }
  for (const std::string& name : *names) {
    const std::optional<model::WriterId> id = parse_writer_name(name);
    if (!id) continue;
    const std::string path = writers + "/" + name;
    entries.push_back({*id, path, os::LockFile::is_held(path + "/lock")});
  }
  return entries;
}

Result<PoolPlace> choose_pool_place(const WriterDirectory& directory, std::uint64_t size,
                                    const std::string& preferred_directory) {
  PoolPlace place;
  const auto try_shared = [&](const std::string& shared) -> Result<void> {
    if (const auto made = os::make_private_directory(shared); !made) return made;
    const Result<std::uint64_t> free = files().free_bytes(shared);
    if (!free) return failure(free.error());
    if (*free < size) {
      return failure(ErrorCode::full, fmt::format("{} has {} bytes free, the pool needs {}", shared, *free, size));
    }
    return {};
  };
  const bool is_default = preferred_directory.empty() || preferred_directory == "/dev/shm";
  const std::string shared = is_default ? fmt::format("/dev/shm/arca-{}", os::user_id()) : preferred_directory;
  if (const Result<void> tried = try_shared(shared)) {
    place.path = fmt::format("{}/{}.pool", shared, model::to_string(directory.id()));
    place.on_tmpfs = shared.starts_with("/dev/shm/");
    if (!place.on_tmpfs) place.reason = "the configuration names " + shared;
  } else {
    place.path = directory.path() + "/pool.data";
    place.reason = tried.error().message();
  }
  if (const auto linked = os::replace_symlink(place.path, directory.pool_link()); !linked) {
    return failure(linked.error());
  }
  return place;
}

}  // namespace arca::journal
