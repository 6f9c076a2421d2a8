#include "cli/sink/wire_walk.hpp"

#include "otlp/wire_reader.hpp"

namespace arca::cli::sink {

namespace {

using otlp::Field;
using otlp::WireType;

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
    return otlp::for_each_field(
        message, [&](const Field& field) { return !field.is(number, WireType::length) || function(field.bytes); });
  }

  bool read_record(base::Bytes record) noexcept {
    if (signal_ == model::Signal::metrics) return read_metric(record);
    ++count_;
    SeenItem item;
    if (!options_.sequences && (signal_ == model::Signal::logs || !options_.span_ids)) {
      visit_(context_, item);
      return true;
    }
    otlp::WireReader fields(record);
    Rank rank = Rank::none;
    const std::uint32_t attributes = signal_ == model::Signal::traces ? span_attributes : log_attributes;
    while (const auto field = fields.next()) {
      if (field->type != WireType::length) continue;
      if (signal_ == model::Signal::traces && field->number == 2) {
        item.span_id = field->bytes;
        if (!options_.sequences) break;  // all that is asked; ids stand at the front
      } else if (field->number == attributes) {
        read_attribute(field->bytes, item, rank);
      }
    }
    if (fields.damaged()) return false;
    visit_(context_, item);
    return true;
  }

  bool read_metric(base::Bytes metric) noexcept {
    return otlp::for_each_field(metric, [this](const Field& field) {
      if (!otlp::is_metric_data(field)) return true;
      std::uint32_t attributes = number_point_attributes;  // gauge and sum
      if (field.number == 9) attributes = histogram_point_attributes;
      if (field.number == 10) attributes = exponential_point_attributes;
      if (field.number == 11) attributes = summary_point_attributes;
      return each(field.bytes, 1, [&](base::Bytes point) { return read_point(point, attributes); });
    });
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
    if (attribute.size() > 1 &&
        attribute[0] == std::byte{0x0A}) {  // the usual shape: the key first, its length in a byte
      const auto length = static_cast<std::size_t>(attribute[1]);
      if (length != 8 && length != 9 && length != 11 && length < 0x80) return;
    }
    if (attribute.size() > 1 &&
        attribute[0] == std::byte{0x0A}) {  // the usual shape: the key first, its length in a byte
      const auto length = static_cast<std::size_t>(attribute[1]);
      if (length != 8 && length != 9 && length != 11 && length < 0x80) return;
    }
    otlp::WireReader fields(attribute);
    const auto key = fields.next();
    if (!key || !key->is(1, WireType::length)) return;
    const std::string_view name = key->text();
    Rank found = Rank::none;
    const bool stream = name == "test.stream";
    if (name == "test.seq") found = Rank::test;
    if (name == "arca.seq") found = Rank::arca;
    if (name == "bench.seq") found = Rank::bench;
    if (!stream && found <= rank) return;
    const auto value = fields.next();
    if (!value || !value->is(2, WireType::length)) return;
    const auto content = otlp::WireReader(value->bytes).next();
    if (!content) return;
    if (stream && content->is(1, WireType::length)) item.stream = content->text();
    if (stream && content->is(3, WireType::varint)) {
      item.stream_number = static_cast<std::int64_t>(content->value);
      item.stream_is_number = true;
    }
    if (!stream && content->is(3, WireType::varint)) {
      item.sequence = static_cast<std::int64_t>(content->value);
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
