#include "cli/query/journal_place.hpp"

#include <algorithm>

#include "cli/journal_view.hpp"
#include "cli/look_again.hpp"
#include "cli/query/trace_search.hpp"
#include "journal/segment_reader.hpp"
#include "journal/writer_directory.hpp"

namespace arca::cli::query {

namespace {

struct Source {
  std::string directory;
  std::string name;      // for people
  bool is_live = false;  // somebody writes while we read
};

// A chunk and where it lies.
struct Spot {
  model::ChunkId id;
  KeptChunk kept;
  const Source* source = nullptr;
};

// Reads the chunks of several journals, the newest first. Not thread-safe.
class JournalsRead {
 public:
  JournalsRead(Place place, os::FileSystem& file_system, const Wanted& wanted, Reader& reader)
      : place_(place), file_system_(file_system), wanted_(wanted), reader_(reader) {}

  void run(const std::vector<Source>& sources) {
    std::vector<Spot> spots;
    for (const Source& source : sources) collect(source, spots);
    std::sort(spots.begin(), spots.end(), [](const Spot& a, const Spot& b) {
      return a.kept.sealed_at != b.kept.sealed_at ? a.kept.sealed_at > b.kept.sealed_at : a.id > b.id;
    });
    for (const Spot& spot : spots) {
      if (!reader_.wants(spot.id)) continue;
      if (!reader_.may_read(spot.kept.bytes)) return;
      give(spot);
    }
  }

 private:
  void collect(const Source& source, std::vector<Spot>& spots) {
    const auto read = [&] { return view_journal(file_system_, source.directory); };
    const auto view = source.is_live ? read_calmly(read) : read();
    if (!view) return reader_.damage(source.name + ": " + view.error().message());
    for (const std::string& each : view->damage) reader_.damage(source.name + ": " + each);
    for (const auto& [id, kept] : view->unsettled) {
      if (!wanted_.signals.contains(kept.signal) || is_before(wanted_, kept.sealed_at)) continue;
      spots.push_back({id, kept, &source});
    }
  }

  void give(const Spot& spot) {
    const std::string path = spot.source->directory + "/" + journal::segment_name(spot.kept.segment_number);
    if (path != open_path_) {
      open_path_ = path;
      segment_.reset();
      auto opened = journal::SegmentReader::open(file_system_, path);
      if (opened) {
        segment_.emplace(std::move(*opened));
      } else if (opened.error().code() != ErrorCode::not_found) {  // else its chunks have just been settled
        reader_.damage(spot.source->name + ": " + opened.error().message());
      }
    }
    if (!segment_) return;
    auto payload = segment_->read_payload(spot.kept.item);
    if (payload && !*payload && spot.source->is_live) {
      look_again([&] {
        payload = segment_->read_payload(spot.kept.item);
        return !payload || *payload;
      });
    }
    if (!payload) return reader_.damage(spot.source->name + ": " + payload.error().message());
    if (!*payload) {
      return reader_.damage(spot.source->name + ": chunk " + model::to_string(spot.id) +
                            ": the checksum of its payload does not match");
    }
    if (may_hold(wanted_, **payload)) reader_.take({place_, spot.kept.signal, **payload, spot.id});
  }

  Place place_;
  os::FileSystem& file_system_;
  const Wanted& wanted_;
  Reader& reader_;
  std::string open_path_;
  std::optional<journal::SegmentReader> segment_;
};

}  // namespace

Result<void> JournalPlace::read(const Wanted& wanted, Reader& reader) {
  if (!file_system_.exists(state_directory_)) {
    return failure(ErrorCode::not_found, state_directory_ + " does not exist");
  }
  const auto writers = journal::list_writers(state_directory_);
  if (!writers) return failure(writers.error());
  std::vector<Source> sources;
  for (const journal::WriterEntry& writer : *writers) {
    sources.push_back({writer.path + "/journal", "journal of writer " + model::to_string(writer.id), writer.live});
  }
  JournalsRead(place(), file_system_, wanted, reader).run(sources);
  return {};
}

Result<void> QuarantinePlace::read(const Wanted& wanted, Reader& reader) {
  const std::string directory = state_directory_ + "/quarantine";
  const auto names = file_system_.list(directory);
  if (!names) return failure(names.error());
  std::vector<Source> sources;
  for (const std::string& name : *names) {
    sources.push_back({directory + "/" + name, "quarantine/" + name, true});  // whoever recovers may be writing it
  }
  JournalsRead(place(), file_system_, wanted, reader).run(sources);
  return {};
}

}  // namespace arca::cli::query
