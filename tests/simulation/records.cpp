#include "simulation/records.hpp"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

namespace arca::simulation {
namespace {

constexpr std::string_view mark = "arca-sim:";
constexpr std::size_t digits = 16;

// A field of wire type 2.
void add_field(std::string& to, unsigned number, std::string_view content) {
  to.push_back(static_cast<char>((number << 3U) | 2U));
  std::size_t size = content.size();
  for (; size >= 0x80; size >>= 7U) to.push_back(static_cast<char>((size & 0x7FU) | 0x80U));
  to.push_back(static_cast<char>(size));
  to += content;
}

std::vector<std::byte> to_bytes(std::string_view text) {
  const base::Bytes bytes = base::as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

std::vector<std::byte> make_record(model::Signal signal, RecordNumber number, std::size_t size) {
  const std::string name = fmt::format("{}{:016x}", mark, number);
  const std::string padding(size, 'p');
  std::string message;
  switch (signal) {
    case model::Signal::traces:
      add_field(message, 1, fmt::format("{:016x}", number));  // trace_id, 16 bytes
      add_field(message, 2, fmt::format("{:08x}", number & 0xFFFFFFFFU));
      add_field(message, 3, padding);  // trace_state
      add_field(message, 5, name);
      break;
    case model::Signal::logs:
      add_field(message, 3, name);      // severity_text
      add_field(message, 12, padding);  // event_name
      break;
    case model::Signal::metrics:
      add_field(message, 1, name);
      add_field(message, 2, padding);  // description
      break;
  }
  std::string record;
  add_field(record, 2, message);
  return to_bytes(record);
}

std::vector<RecordNumber> records_in(base::Bytes payload) {
  std::vector<RecordNumber> numbers;
  const std::string_view text = base::as_text(payload);
  for (std::size_t at = text.find(mark); at != std::string_view::npos; at = text.find(mark, at + 1)) {
    const std::string_view hex = text.substr(at + mark.size(), digits);
    RecordNumber number = 0;
    if (std::from_chars(hex.data(), hex.data() + hex.size(), number, 16).ptr == hex.data() + digits)
      numbers.push_back(number);
  }
  return numbers;
}

std::vector<std::byte> resource_of(const std::string& service) {
  std::string value;
  add_field(value, 1, service);  // AnyValue.string_value
  std::string attribute;
  add_field(attribute, 1, "service.name");
  add_field(attribute, 2, value);
  std::string resource;
  add_field(resource, 1, attribute);
  std::string fields;
  add_field(fields, 1, resource);
  return to_bytes(fields);
}

}  // namespace arca::simulation
