#include "cli/sink/wire_walk.hpp"

namespace arca::cli::sink {

namespace {

// One field of a message: `number` of the proto file, wire type, and its value as bytes or as an integer.
struct Field {
  std::uint32_t number = 0;
  std::uint32_t type = 0;
  std::uint64_t integer = 0;
  base::Bytes bytes;
};

// Reads the fields of one message, front to back. Not thread-safe.
class Fields {
 public:
  explicit Fields(base::Bytes message) noexcept : at_(message.data()), end_(message.data() + message.size()) {}

  // The next field; false at the end or on rubbish, which ok() tells apart.
  bool next(Field& field) noexcept {
    if (at_ == end_) return false;
    std::uint64_t tag = 0;
    if (!varint(tag)) return fail();
    field.number = static_cast<std::uint32_t>(tag >> 3U);
    field.type = static_cast<std::uint32_t>(tag & 7U);
    switch (field.type) {
      case 0: return varint(field.integer) || fail();
      case 1: return fixed(field, 8);
      case 2: {
        std::uint64_t length = 0;
        if (!varint(length) || length > static_cast<std::uint64_t>(end_ - at_)) return fail();
        field.bytes = {at_, static_cast<std::size_t>(length)};
        at_ += length;
        return true;
      }
      case 5: return fixed(field, 4);
      default: return fail();
    }
  }
  [[nodiscard]] bool ok() const noexcept { return ok_; }

 private:
  bool fail() noexcept {
    ok_ = false;
    return false;
  }
  bool fixed(Field& field, std::size_t size) noexcept {
    if (static_cast<std::size_t>(end_ - at_) < size) return fail();
    field.bytes = {at_, size};
    at_ += size;
    return true;
  }
  bool varint(std::uint64_t& value) noexcept {
    if (at_ != end_ && *at_ < std::byte{0x80}) {  // nearly all are one byte long
      value = static_cast<std::uint64_t>(*at_++);
      return true;
    }
    value = 0;
    for (unsigned shift = 0; at_ != end_ && shift < 70; shift += 7) {
      const auto byte = static_cast<std::uint64_t>(*at_++);
      value |= (byte & 0x7FU) << shift;
      if (byte < 0x80U) return true;
    }
    return false;
  }

  const std::byte* at_;
  const std::byte* end_;
  bool ok_ = true;
};

// Field numbers from the OTLP proto files: where each kind of item keeps its attributes.
constexpr std::uint32_t span_attributes = 9;
constexpr std::uint32_t log_attributes = 6;
constexpr std::uint32_t number_point_attributes = 7;
constexpr std::uint32_t histogram_point_attributes = 9;
constexpr std::uint32_t exponential_point_attributes = 1;
constexpr std::uint32_t summary_point_attributes = 7;

enum class Rank : std::uint8_t { none, bench, arca, test };  // which attribute named the sequence so far

class Walker {
 public:
  Walker(model::Signal signal, const WalkOptions& options, ItemVisitor visit, void* context) noexcept
      : signal_(signal), options_(options), visit_(visit), context_(context) {}

  std::optional<std::uint64_t> walk(base::Bytes request) noexcept {
    // Request, resource, scope and record nest by the same numbers in all three signals: 1, 2, 2.
    const bool whole = each(request, 1, [this](base::Bytes resource) {
      return each(resource, 2, [this](base::Bytes scope) {
        return each(scope, 2, [this](base::Bytes record) { return read_record(record); });
      });
    });
    return whole ? std::optional(count_) : std::nullopt;
  }

 private:
  template <class Function>
  static bool each(base::Bytes message, std::uint32_t number, Function function) noexcept {
    Fields fields(message);
    Field field;
    while (fields.next(field)) {
      if (field.number == number && field.type == 2 && !function(field.bytes)) return false;
    }
    return fields.ok();
  }

  bool read_record(base::Bytes record) noexcept {
    if (signal_ == model::Signal::metrics) return read_metric(record);
    ++count_;
    SeenItem item;
    if (!options_.sequences && (signal_ == model::Signal::logs || !options_.span_ids)) {
      visit_(context_, item);
      return true;
    }
    Fields fields(record);
    Field field;
    Rank rank = Rank::none;
    const std::uint32_t attributes = signal_ == model::Signal::traces ? span_attributes : log_attributes;
    while (fields.next(field)) {
      if (field.type != 2) continue;
      if (signal_ == model::Signal::traces && field.number == 2) {
        item.span_id = field.bytes;
        if (!options_.sequences) break;  // all that is asked; ids stand at the front
      } else if (field.number == attributes) {
        read_attribute(field.bytes, item, rank);
      }
    }
    if (!fields.ok()) return false;
    visit_(context_, item);
    return true;
  }

  bool read_metric(base::Bytes metric) noexcept {
    Fields fields(metric);
    Field field;
    while (fields.next(field)) {
      std::uint32_t attributes = 0;
      switch (field.number) {
        case 5: case 7: attributes = number_point_attributes; break;   // gauge, sum
        case 9: attributes = histogram_point_attributes; break;
        case 10: attributes = exponential_point_attributes; break;
        case 11: attributes = summary_point_attributes; break;
        default: continue;
      }
      if (field.type != 2) continue;
      if (!each(field.bytes, 1, [&](base::Bytes point) { return read_point(point, attributes); })) return false;
    }
    return fields.ok();
  }

  bool read_point(base::Bytes point, std::uint32_t attributes) noexcept {
    ++count_;
    SeenItem item;
    Rank rank = Rank::none;
    if (options_.sequences && !each(point, attributes, [&](base::Bytes attribute) {
          read_attribute(attribute, item, rank);
          return true;
        })) {
      return false;
    }
    visit_(context_, item);
    return true;
  }

  // Notes the attribute if it is one of the four that name an item. KeyValue: 1 key, 2 value; AnyValue: 1 string,
  // 3 integer. The length of the key rules out nearly everything before a comparison.
  static void read_attribute(base::Bytes attribute, SeenItem& item, Rank& rank) noexcept {
    if (attribute.size() > 1 && attribute[0] == std::byte{0x0A}) {  // the usual shape: the key first, its length in a byte
      const auto length = static_cast<std::size_t>(attribute[1]);
      if (length != 8 && length != 9 && length != 11 && length < 0x80) return;
    }
    Fields fields(attribute);
    Field key;
    if (!fields.next(key) || key.number != 1 || key.type != 2) return;
    const std::string_view name = base::as_text(key.bytes);
    Rank found = Rank::none;
    const bool stream = name == "test.stream";
    if (name == "test.seq") found = Rank::test;
    if (name == "arca.seq") found = Rank::arca;
    if (name == "bench.seq") found = Rank::bench;
    if (!stream && found <= rank) return;
    Field value;
    if (!fields.next(value) || value.number != 2 || value.type != 2) return;
    Fields any(value.bytes);
    Field content;
    if (!any.next(content)) return;
    if (stream && content.number == 1 && content.type == 2) item.stream = base::as_text(content.bytes);
    if (stream && content.number == 3 && content.type == 0) {
      item.stream_number = static_cast<std::int64_t>(content.integer);
      item.stream_is_number = true;
    }
    if (!stream && content.number == 3 && content.type == 0) {
      item.sequence = static_cast<std::int64_t>(content.integer);
      rank = found;
    }
  }

  model::Signal signal_;
  WalkOptions options_;
  ItemVisitor visit_;
  void* context_;
  std::uint64_t count_ = 0;
};

}  // namespace

std::optional<std::uint64_t> walk_request(model::Signal signal, base::Bytes request, const WalkOptions& options,
                                          ItemVisitor visit, void* context) {
  return Walker(signal, options, visit, context).walk(request);
}

}  // namespace arca::cli::sink
