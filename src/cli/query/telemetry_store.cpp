#include "cli/query/telemetry_store.hpp"

#include <algorithm>

namespace arca::cli::query {

namespace {
constexpr std::size_t damage_shown_max = 20;
constexpr std::size_t notes_max = 20;
constexpr std::size_t given_max = 4'000'000;  // chunks that are remembered
}  // namespace

std::string_view to_string(Place place) noexcept {
  switch (place) {
    case Place::pool:
      return "pool";
    case Place::journal:
      return "journal";
    case Place::cassandra:
      return "cassandra";
    case Place::quarantine:
      return "quarantine";
  }
  return "unknown";
}

std::string to_string(PlaceSet places) {
  std::string text;
  for (const Place place : all_places) {
    if (places.contains(place)) text += (text.empty() ? "" : ", ") + std::string(to_string(place));
  }
  return text;
}

// What a place reads into: filters what was given before, counts bytes, keeps sentences.
class TelemetryStore::PlaceReader final : public Reader {
 public:
  PlaceReader(TelemetryStore& store, const Options& options, const Take& take)
      : store_(store), options_(options), take_(take) {}

  bool wants(const model::ChunkId& id) override { return options_.repeats || !store_.given_.contains(id); }

  [[nodiscard]] std::optional<base::WallTime> oldest_wanted() const override {
    return options_.oldest_wanted ? options_.oldest_wanted() : std::nullopt;
  }

  bool may_read(std::uint64_t bytes) override {
    if (bytes > store_.bytes_left_) {
      store_.report_.cut = true;
      return false;
    }
    store_.bytes_left_ -= bytes;
    store_.report_.bytes += bytes;
    return true;
  }

  void set_given(const model::ChunkId& id) override {
    if (store_.given_.size() < given_max) store_.given_.insert(id);
  }

  void take(const Piece& piece) override {
    if (piece.chunk) {
      if (!wants(*piece.chunk)) return;
      set_given(*piece.chunk);
    }
    if (const auto done = take_(piece); !done) {
      damage(std::string(to_string(piece.place)) + (piece.chunk ? ": chunk " + model::to_string(*piece.chunk) : "") +
             ": " + done.error().message());
    }
  }

  void damage(std::string what) override {
    auto& list = store_.report_.damage;
    if (std::find(list.begin(), list.end(), what) != list.end()) return;  // a later look of --follow
    ++store_.report_.damage_count;
    if (list.size() < damage_shown_max) list.push_back(std::move(what));
  }

  void note(std::string what) override {
    auto& list = store_.report_.notes;
    if (list.size() < notes_max && std::find(list.begin(), list.end(), what) == list.end()) {
      list.push_back(std::move(what));
    }
  }

  void left_out(std::string what) override {
    store_.report_.left_out = true;
    note(std::move(what));
  }

 private:
  TelemetryStore& store_;
  const Options& options_;
  const Take& take_;
};

namespace {
const TelemetryStore::Options no_options{};
const Take no_take = [](const Piece&) { return Result<void>(); };
}  // namespace

TelemetryStore::TelemetryStore(std::vector<std::unique_ptr<TelemetryPlace>> places, std::uint64_t bytes_max)
    : places_(std::move(places)), bytes_max_(bytes_max), bytes_left_(bytes_max) {
  std::sort(places_.begin(), places_.end(), [](const auto& a, const auto& b) { return a->place() < b->place(); });
}

void TelemetryStore::read(const Wanted& wanted, const Options& options, const Take& take) {
  for (const auto& place : places_) {
    if (place->has_index() ? !options.indexed : !options.unindexed) continue;
    PlaceReader reader(*this, options, take);
    if (const auto done = place->read(wanted, reader); !done) note_failure(place->place(), done.error());
  }
}

void TelemetryStore::names(const Wanted& wanted, bool operations, const TakeName& take) {
  for (const auto& place : places_) {
    PlaceReader reader(*this, no_options, no_take);
    if (const auto done = place->names(wanted, operations, take, reader); !done) {
      note_failure(place->place(), done.error());
    }
  }
}

std::vector<TraceId> TelemetryStore::find_traces(const Wanted& wanted, std::size_t limit,
                                                 std::optional<base::WallTime>& more_before) {
  std::vector<TraceId> all;
  more_before.reset();
  for (const auto& place : places_) {
    PlaceReader reader(*this, no_options, no_take);
    std::optional<base::WallTime> before;
    auto found = place->find_traces(wanted, limit, reader, before);
    if (!found) {
      note_failure(place->place(), found.error());
      continue;
    }
    all.insert(all.end(), found->begin(), found->end());
    if (before) more_before = std::max(more_before.value_or(*before), *before);
  }
  return all;
}

bool TelemetryStore::has_index() const noexcept {
  return std::any_of(places_.begin(), places_.end(), [](const auto& place) { return place->has_index(); });
}

void TelemetryStore::note_failure(Place place, const Error& error) {
  if (error.code() == ErrorCode::not_found && place != Place::cassandra) return;  // nothing was ever kept there
  PlaceReader reader(*this, no_options, no_take);
  // Two places may stand on one connection.
  for (const std::string& each : report_.damage) {
    if (each.ends_with(error.message())) return;
  }
  report_.unreachable =
      report_.unreachable || error.code() == ErrorCode::unavailable || error.code() == ErrorCode::timeout;
  reader.damage(std::string(to_string(place)) + ": " + error.message());
}

}  // namespace arca::cli::query
