#include "otlp/json.hpp"

#include <charconv>
#include <cmath>
#include <optional>

#include "otlp/json_tables.hpp"
#include "otlp/reader.hpp"
#include "otlp/utf8.hpp"
#include "otlp/wire_reader.hpp"

namespace arca::otlp {

namespace {

using json_tables::FieldRule;
using json_tables::Kind;
using json_tables::Message;

// Deeper nesting than any sane attribute has; beyond it values are printed as null, so that rubbish cannot exhaust
// the stack.
constexpr int depth_max = 64;

template <class Number>
void print_number(std::string& out, Number number) {
  char text[32];
  const char* const end = std::to_chars(text, text + sizeof text, number).ptr;
  out.append(text, static_cast<std::size_t>(end - text));
}

template <class Number>
void print_quoted(std::string& out, Number number) {
  out += '"';
  print_number(out, number);
  out += '"';
}

void print_real(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "\"NaN\"";
  } else if (std::isinf(value)) {
    out += value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  } else {
    print_number(out, value);
  }
}

void print_text(std::string& out, std::string_view text) {
  if (!is_utf8(text)) return print_text(out, replace_ill_formed(text));
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      constexpr std::string_view digits = "0123456789abcdef";
      out += "\\u00";
      out += digits[byte >> 4U];
      out += digits[byte & 0xFU];
    } else {
      out += c;
    }
  }
  out += '"';
}

void print_base64(std::string& out, base::Bytes bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  out += '"';
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t size = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = (group << 8U) | (j < size ? static_cast<std::uint32_t>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) out += j <= size ? alphabet[(group >> (18 - 6 * j)) & 0x3FU] : '=';
  }
  out += '"';
}

WireType wire_type_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::text:
    case Kind::hex:
    case Kind::base64:
    case Kind::message:
      return WireType::length;
    case Kind::fixed64:
    case Kind::sfixed64:
    case Kind::real:
      return WireType::fixed64;
    case Kind::boolean:
    case Kind::number:
    case Kind::zigzag:
    case Kind::uint64:
    case Kind::int64:
      break;
  }
  return WireType::varint;
}

bool matches(const FieldRule& rule, const Field& field) noexcept {
  if (field.number != rule.number) return false;
  if (field.type == wire_type_of(rule.kind)) return true;
  return (rule.kind == Kind::number && field.type == WireType::fixed32) ||
         (rule.repeated && field.type == WireType::length);  // packed
}

class Printer {
 public:
  explicit Printer(std::string& out) noexcept : out_(out) {}

  bool print(const Message& message, base::Bytes bytes, int depth) {
    if (depth > depth_max) {
      out_ += "null";
      return true;
    }
    out_ += '{';
    bool first = true;
    for (const FieldRule& rule : message.fields) {
      if (!print_field(rule, bytes, depth, first)) return false;
    }
    out_ += '}';
    return true;
  }

 private:
  // Prints all occurrences of one field: an array if it is repeated, else the last one.
  bool print_field(const FieldRule& rule, base::Bytes bytes, int depth, bool& first) {
    std::optional<Field> last;
    bool in_array = false;
    WireReader reader(bytes);
    while (const auto field = reader.next()) {
      if (!matches(rule, *field)) continue;
      if (field->type != wire_type_of(rule.kind) && field->type == WireType::length && field->bytes.empty()) continue;
      if (!rule.repeated) {
        last = field;
        continue;
      }
      if (!in_array) print_name(rule, first);
      out_ += in_array ? ',' : '[';
      in_array = true;
      if (!print_element(rule, *field, depth)) return false;
    }
    if (reader.damaged()) return false;
    if (in_array) out_ += ']';
    if (!last) return true;
    print_name(rule, first);
    return print_one(rule, *last, depth);
  }

  void print_name(const FieldRule& rule, bool& first) {
    if (!first) out_ += ',';
    first = false;
    out_ += '"';
    out_ += rule.name;
    out_ += "\":";
  }

  bool print_element(const FieldRule& rule, const Field& field, int depth) {
    if (field.type == wire_type_of(rule.kind)) return print_one(rule, field, depth);
    return print_packed(rule, field.bytes, depth);
  }

  bool print_packed(const FieldRule& rule, base::Bytes packed, int depth) {
    Field element;
    bool first = true;
    while (!packed.empty()) {
      if (wire_type_of(rule.kind) == WireType::varint) {
        const auto value = base::read_varint(packed);
        if (!value) return false;
        element.value = *value;
      } else {
        if (packed.size() < sizeof element.value) return false;
        element.value = base::load<std::uint64_t>(packed.data());
        packed = packed.subspan(sizeof element.value);
      }
      if (!first) out_ += ',';
      first = false;
      if (!print_one(rule, element, depth)) return false;
    }
    return true;
  }

  bool print_one(const FieldRule& rule, const Field& field, int depth) {
    switch (rule.kind) {
      case Kind::text:
        print_text(out_, field.text());
        break;
      case Kind::hex:
        print_text(out_, to_hex(field.bytes));
        break;
      case Kind::base64:
        print_base64(out_, field.bytes);
        break;
      case Kind::boolean:
        out_ += field.value != 0 ? "true" : "false";
        break;
      case Kind::number:
        print_number(out_, static_cast<std::uint32_t>(field.value));
        break;
      case Kind::zigzag: {
        const auto coded = static_cast<std::uint32_t>(field.value);
        print_number(out_, static_cast<std::int32_t>((coded >> 1U) ^ (0U - (coded & 1U))));
        break;
      }
      case Kind::uint64:
      case Kind::fixed64:
        print_quoted(out_, field.value);
        break;
      case Kind::int64:
      case Kind::sfixed64:
        print_quoted(out_, static_cast<std::int64_t>(field.value));
        break;
      case Kind::real:
        print_real(out_, field.number_double());
        break;
      case Kind::message:
        return print(*rule.message, field.bytes, depth + 1);
    }
    return true;
  }

  std::string& out_;
};

const Message& table_of(model::Signal signal) noexcept {
  switch (signal) {
    case model::Signal::metrics:
      return json_tables::metrics_request;
    case model::Signal::logs:
      return json_tables::logs_request;
    case model::Signal::traces:
      break;
  }
  return json_tables::traces_request;
}

}  // namespace

Result<std::string> to_json(model::Signal signal, base::Bytes request) {
  std::string text;
  text.reserve(3 * request.size());
  if (!Printer(text).print(table_of(signal), request, 0)) {
    return failure(ErrorCode::corrupt, "not an OTLP export request: a field is damaged");
  }
  return text;
}

}  // namespace arca::otlp
