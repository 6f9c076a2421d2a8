// Records: what simulated applications record. Each is a proper OTLP message with a number in it that no other has, so
// that it is found again in any payload: in a request, in a chunk on disk, in Cassandra, in a quarantine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "model/signal.hpp"

namespace arca::simulation {

using RecordNumber = std::uint64_t;

// A framed record (record_grammar.hpp) of about `size` bytes.
std::vector<std::byte> make_record(model::Signal signal, RecordNumber number, std::size_t size);
// The numbers of all records in a payload, in its order.
std::vector<RecordNumber> records_in(base::Bytes payload);
// All fields of ResourceX but the scopes: a service.
std::vector<std::byte> resource_of(const std::string& service);

}  // namespace arca::simulation
