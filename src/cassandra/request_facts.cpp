#include "cassandra/request_facts.hpp"

#include <algorithm>
#include <limits>

#include "otlp/wire_reader.hpp"

namespace arca::cassandra {
namespace {

using otlp::Field;
using otlp::for_each_field;
using otlp::WireType;

void widen(RequestFacts& facts, std::uint64_t unix_nanos) {
  if (unix_nanos == 0) return;
  const base::WallTime time = wall_time(unix_nanos);
  facts.time_min = std::min(facts.time_min.value_or(time), time);
  facts.time_max = std::max(facts.time_max.value_or(time), time);
}

// The first fixed64 field of that number; 0 if there is none.
std::uint64_t time_in(base::Bytes message, std::uint32_t number) noexcept {
  std::uint64_t time = 0;
  for_each_field(message, [&](const Field& field) {
    if (!field.is(number, WireType::fixed64)) return true;
    time = field.value;
    return false;
  });
  return time;
}

void visit_metric(base::Bytes metric, RequestFacts& facts) {
  for_each_field(metric, [&](const Field& data) {
    if (!otlp::is_metric_data(data)) return true;
    for_each_field(data.bytes, [&](const Field& point) {
      if (point.is(1, WireType::length)) widen(facts, time_in(point.bytes, 3));
      return true;
    });
    return true;
  });
}

void visit_record(model::Signal signal, base::Bytes record, RequestFacts& facts) {
  switch (signal) {
    case model::Signal::traces:
      widen(facts, time_in(record, 7));
      return;
    case model::Signal::metrics:
      visit_metric(record, facts);
      return;
    case model::Signal::logs: {
      const std::uint64_t time = time_in(record, 1);
      widen(facts, time != 0 ? time : time_in(record, 11));
      return;
    }
  }
}

}  // namespace

base::WallTime wall_time(std::uint64_t unix_nanos) noexcept {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return base::WallTime(base::Duration(static_cast<std::int64_t>(std::min(unix_nanos, most))));
}

std::string_view service_of(base::Bytes resource) noexcept {
  std::string_view service;
  for_each_field(resource, [&](const Field& attribute) {
    if (!attribute.is(1, WireType::length)) return true;
    bool is_service = false;
    std::string_view text;
    for_each_field(attribute.bytes, [&](const Field& part) {
      if (part.is(1, WireType::length)) is_service = part.text() == "service.name";
      if (part.is(2, WireType::length)) {
        for_each_field(part.bytes, [&](const Field& value) {
          if (value.is(1, WireType::length)) text = value.text();
          return true;
        });
      }
      return true;
    });
    if (is_service) service = text;
    return !is_service;
  });
  return service;
}

RequestFacts facts_of(model::Signal signal, base::Bytes request) {
  RequestFacts facts;
  for_each_field(request, [&](const Field& group) {
    if (!group.is(1, WireType::length)) return true;
    std::string_view service;
    for_each_field(group.bytes, [&](const Field& part) {
      if (part.is(1, WireType::length)) service = service_of(part.bytes);
      if (!part.is(2, WireType::length)) return true;
      for_each_field(part.bytes, [&](const Field& record) {
        if (record.is(2, WireType::length)) visit_record(signal, record.bytes, facts);
        return true;
      });
      return true;
    });
    if (service.empty()) service = unknown_service;
    if (!facts.services.contains(service)) facts.services.emplace(service);
    return true;
  });
  return facts;
}

}  // namespace arca::cassandra
