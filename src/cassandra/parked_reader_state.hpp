// ParkedReader::State: statements and the ways in which they are asked. Shared by the sources of ParkedReader:
// parked_reader.cpp (rows, index, names) and parked_reader_chunks.cpp (directory, chunks, quarantine).
#pragma once

#include <utility>

#include "cassandra/answers.hpp"
#include "cassandra/parked_reader.hpp"

namespace arca::cassandra {

class ParkedReader::State {
 public:
  State(Cql& client, ParkingStore& parking, os::Clock& time, Options given)
      : cql(client), store(parking), clock(time), options(std::move(given)) {}

  Result<void> prepare();
  [[nodiscard]] std::vector<base::WallTime> index_buckets(const TimeRange& range) const;

  // Asks a statement once for each of `count` sets of values, all pages of each; `take(number, row)` says whether to go
  // on.
  using MakeValues = std::function<Values(std::size_t)>;
  using TakeRowOf = std::function<bool(std::size_t, const Row&)>;
  Result<void> select(Statement statement, std::size_t count, const MakeValues& values, std::uint32_t page_size,
                      const TakeRowOf& take);

  // The same for reads of the store.
  template <class T>
  struct Read {
    StoreStatus status;
    T value;
  };
  template <class T>
  Result<void> read(std::size_t count, const std::function<void(std::size_t, StoreRead<T>)>& ask,
                    const std::function<Result<Next>(std::size_t, T&)>& take) {
    return ask_all<Read<T>>(
        count, options.in_flight_max, clock, options.timeout,
        [&](std::size_t number, std::function<void(Read<T>)> done) {
          ask(number, [done = std::move(done)](StoreStatus status, T value) {
            done({std::move(status), std::move(value)});
          });
        },
        [&](std::size_t number, Read<T>& answer) -> Result<Next> {
          if (answer.status.outcome == Outcome::not_sent) return Next::again_later;
          if (!answer.status.ok()) return failure(error_of(answer.status));
          return take(number, answer.value);
        });
  }
  static Error error_of(const StoreStatus& status);

  Cql& cql;
  ParkingStore& store;
  os::Clock& clock;
  const Options options;
  Statement rows;
  Statement names;
  Statement index;
  Statement heads;
  Statement quarantine;
  Statement quarantine_parts;
};

}  // namespace arca::cassandra
