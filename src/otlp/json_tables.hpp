// The messages of OTLP 1.x as tables: which field has which JSON name and kind. Private to the JSON printer.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace arca::otlp::json_tables {

enum class Kind : std::uint8_t {
  text,
  hex,     // trace and span ids
  base64,  // other bytes
  boolean,
  number,    // uint32, enums, fixed32
  zigzag,    // sint32
  uint64,    // varint, printed as a string
  int64,     // varint, printed as a string
  fixed64,   // printed as a string
  sfixed64,  // printed as a string
  real,
  message,
};

struct Message;

struct FieldRule {
  std::uint32_t number;
  std::string_view name;
  Kind kind;
  bool repeated = false;
  const Message* message = nullptr;
};

struct Message {
  std::span<const FieldRule> fields;
};

extern const Message traces_request;
extern const Message metrics_request;
extern const Message logs_request;

}  // namespace arca::otlp::json_tables
