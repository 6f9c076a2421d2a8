#include "otlp/request_split.hpp"

#include "otlp/reader.hpp"
#include "otlp/wire_reader.hpp"

namespace arca::otlp {

namespace {

// The messages on the way down to an item. Each level knows which of its fields is the next one.
enum class Level : std::uint8_t { request, resource, scope, metric, data, item };

bool is_child(Level level, const Field& field) noexcept {
  if (field.type != WireType::length) return false;
  switch (level) {
    case Level::request:
      return field.number == 1;
    case Level::resource:
    case Level::scope:
      return field.number == 2;
    case Level::metric:
      return is_metric_data(field);
    case Level::data:
      return field.number == 1;
    case Level::item:
      return false;
  }
  return false;
}

Level below(model::Signal signal, Level level) noexcept {
  switch (level) {
    case Level::request:
      return Level::resource;
    case Level::resource:
      return Level::scope;
    case Level::scope:
      return signal == model::Signal::metrics ? Level::metric : Level::item;
    case Level::metric:
      return Level::data;
    case Level::data:
    case Level::item:
      break;
  }
  return Level::item;
}

std::size_t count(model::Signal signal, Level level, base::Bytes message) {
  if (level == Level::item) return 1;
  std::size_t items = 0;
  for_each_field(message, [&](const Field& field) {
    if (is_child(level, field)) items += count(signal, below(signal, level), field.bytes);
    return true;
  });
  return items;
}

void append(std::vector<std::byte>& to, base::Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

void append_message(std::vector<std::byte>& to, std::uint32_t number, base::Bytes body) {
  std::byte head[20];
  std::byte* end =
      base::write_varint(head, (std::uint64_t{number} << 3U) | static_cast<std::uint64_t>(WireType::length));
  end = base::write_varint(end, body.size());
  append(to, {static_cast<const std::byte*>(head), static_cast<std::size_t>(end - head)});
  append(to, body);
}

// Distributes the fields of `message`: the first `wanted` items below it to one side, the others to the other side,
// everything that is no item to both.
void cut(model::Signal signal, Level level, base::Bytes message, std::size_t& wanted, std::vector<std::byte>& first,
         std::vector<std::byte>& second) {
  for_each_field(message, [&](const Field& field) {
    if (!is_child(level, field)) {
      append(first, field.whole);
      append(second, field.whole);
      return true;
    }
    const Level next = below(signal, level);
    const std::size_t items = count(signal, next, field.bytes);
    if (wanted == 0) {
      append(second, field.whole);
    } else if (items <= wanted) {
      append(first, field.whole);
      wanted -= items;
    } else {
      std::vector<std::byte> head;
      std::vector<std::byte> tail;
      cut(signal, next, field.bytes, wanted, head, tail);
      append_message(first, field.number, head);
      append_message(second, field.number, tail);
    }
    return true;
  });
}

}  // namespace

std::optional<RequestHalves> split_request(model::Signal signal, base::Bytes request) {
  const auto items = count_items(signal, request);
  if (!items || *items < 2) return std::nullopt;
  RequestHalves halves;
  std::size_t wanted = *items / 2;
  halves.first.item_count = static_cast<std::uint32_t>(wanted);
  halves.second.item_count = static_cast<std::uint32_t>(*items - wanted);
  halves.first.request.reserve(request.size());
  halves.second.request.reserve(request.size());
  cut(signal, Level::request, request, wanted, halves.first.request, halves.second.request);
  return halves;
}

}  // namespace arca::otlp
