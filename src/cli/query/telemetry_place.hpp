// TelemetryPlace: one of the places in which telemetry lies (pool, journal, Cassandra, quarantine), as something that
// gives export requests to whoever looks for records. Reading changes nothing and takes no lock. Implemented by
// PoolPlace, JournalPlace and CassandraPlace; used by TelemetryStore.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arca/result.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "model/chunk.hpp"
#include "model/signal.hpp"

namespace arca::cli::query {

// In the order in which they are read: telemetry moves in this direction only, so what moves meanwhile is seen twice
// (and told by its ids), never not at all.
enum class Place : std::uint8_t { pool, journal, cassandra, quarantine };
inline constexpr std::size_t place_count = 4;
inline constexpr std::array<Place, place_count> all_places{Place::pool, Place::journal, Place::cassandra,
                                                           Place::quarantine};
std::string_view to_string(Place place) noexcept;

// A set of places in one byte.
class PlaceSet {
 public:
  constexpr PlaceSet() = default;
  constexpr explicit PlaceSet(Place place) noexcept : bits_(bit(place)) {}
  [[nodiscard]] constexpr bool contains(Place place) const noexcept { return (bits_ & bit(place)) != 0; }
  [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }
  constexpr void insert(Place place) noexcept { bits_ = static_cast<std::uint8_t>(bits_ | bit(place)); }
  constexpr void insert(PlaceSet other) noexcept { bits_ = static_cast<std::uint8_t>(bits_ | other.bits_); }
  bool operator==(const PlaceSet&) const = default;

 private:
  static constexpr std::uint8_t bit(Place place) noexcept {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(place));
  }
  std::uint8_t bits_ = 0;
};
std::string to_string(PlaceSet places);  // "journal, cassandra"

using TraceId = std::array<std::byte, 16>;

// What is looked for, roughly: a place leaves out what it can tell without reading it, and may give more.
struct Wanted {
  model::SignalSet signals;
  std::optional<base::WallTime> since;  // of the records' own times
  std::optional<base::WallTime> until;
  std::string service;            // empty: all
  std::vector<TraceId> traces;    // empty: all
  bool errors_only = false;       // spans
  base::Duration duration_min{};  // of spans
  bool is_indexed_only = false;   // of traces only what an index knows: the rest was read before
  bool is_following = false;      // also what the pool still holds of what was delivered
};

// A part of what was found.
struct Piece {
  Place place = Place::pool;
  model::Signal signal = model::Signal::traces;
  base::Bytes request;                  // an Export*ServiceRequest; for the time of the call
  std::optional<model::ChunkId> chunk;  // if it is a whole chunk
};

// What a place reads into. Not thread-safe.
class Reader {
 public:
  virtual ~Reader() = default;
  // Whether this chunk is worth reading (its payload has so many bytes): false if it was given before.
  virtual bool wants(const model::ChunkId& id) = 0;
  // Says that a chunk was given, in pieces that did not say so.
  virtual void set_given(const model::ChunkId& id) = 0;
  // What is older than this no longer matters, since enough newer records were found; nothing if everything does.
  [[nodiscard]] virtual std::optional<base::WallTime> oldest_wanted() const = 0;
  // Whether more bytes may be read; false ends the place's reading, which is then cut.
  virtual bool may_read(std::uint64_t bytes) = 0;
  virtual void take(const Piece& piece) = 0;
  // Something that could not be read; one sentence.
  virtual void damage(std::string what) = 0;
  // Something worth knowing about what was read.
  virtual void note(std::string what) = 0;
  // The same of something that was not looked at.
  virtual void left_out(std::string what) = 0;
};

// A name as an index tells it, without having read the records.
struct NamePair {
  std::string service;
  std::string operation;  // empty: only the service is told
};

using TakeName = std::function<bool(const NamePair&)>;  // whether to go on

// Not thread-safe. Each call waits until it is done.
class TelemetryPlace {
 public:
  virtual ~TelemetryPlace() = default;
  [[nodiscard]] virtual Place place() const noexcept = 0;

  // Gives everything that may match, the newest first as far as the place knows. Damage is told to the reader; an
  // error means that the place cannot be read at all (ErrorCode::not_found: there is none). Of traces that are not
  // named, a place with an index gives only those that its index does not know, but when following.
  virtual Result<void> read(const Wanted& wanted, Reader& reader) = 0;

  // Whether the place has an index of names and of traces by service and time; without, everything is read.
  [[nodiscard]] virtual bool has_index() const noexcept { return false; }
  // Services, or operations, of the service and the time that are wanted. Stops when `take` says false.
  virtual Result<void> names(const Wanted& /*wanted*/, bool /*operations*/, const TakeName& /*take*/,
                             Reader& /*reader*/) {
    return {};
  }
  // Traces that may match, at most so many, the newest first, starting before `wanted.until`. The last argument is set
  // to the time of the earliest one when there may be more.
  virtual Result<std::vector<TraceId>> find_traces(const Wanted& /*wanted*/, std::size_t /*limit*/, Reader& /*reader*/,
                                                   std::optional<base::WallTime>& /*more_before*/) {
    return std::vector<TraceId>{};
  }
};

}  // namespace arca::cli::query
