// Fuzz target for everything of otlp that reads what others wrote: the request reader, the JSON printer, the splitter
// and the answers' parser. The first byte chooses the signal. Build with -fsanitize=fuzzer,address,undefined.
#include <cstdint>
#include <cstdlib>

#include "otlp/export_response.hpp"
#include "otlp/json.hpp"
#include "otlp/reader.hpp"
#include "otlp/request_split.hpp"

namespace {

using namespace arca;

class TouchAll : public otlp::RequestVisitor {
 public:
  void on_resource(const otlp::ResourceView& resource) override { touch(resource.attributes); }
  void on_scope(const otlp::ScopeView& scope) override { touch(scope.attributes); }
  void on_span(const otlp::SpanView& span) override {
    touch(span.attributes);
    for (const auto& event : span.events()) touch(event.attributes);
    for (const auto& link : span.links()) touch(link.attributes);
  }
  void on_log(const otlp::LogView& log) override { touch(log.attributes); }
  void on_metric(const otlp::MetricView& metric) override {
    for (const auto& point : metric.points()) touch(point.attributes);
  }

 private:
  void touch(const otlp::AttributesView& attributes) { count_ += attributes.all().size(); }
  std::size_t count_ = 0;
};

void require(bool law) {
  if (!law) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto signal = model::all_signals[data[0] % model::signal_count];
  const base::Bytes bytes{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
  TouchAll visitor;
  static_cast<void>(otlp::visit_request(signal, bytes, visitor));
  static_cast<void>(otlp::to_json(signal, bytes));
  static_cast<void>(otlp::collect_span_ids(bytes));
  const auto count = otlp::count_items(signal, bytes);
  if (const auto halves = otlp::split_request(signal, bytes)) {
    require(halves->first.item_count + halves->second.item_count == *count);
    require(otlp::count_items(signal, halves->first.request).value_or(0) == halves->first.item_count);
    require(otlp::count_items(signal, halves->second.request).value_or(0) == halves->second.item_count);
  }
  const model::ChunkId id{{1}, 1};
  const auto text = base::as_text(bytes);
  require(otlp::read_grpc_answer(id, signal, 0, text, bytes, bytes).ack.verdict == model::Verdict::delivered);
  static_cast<void>(otlp::read_grpc_answer(id, signal, 8, text, bytes, bytes));
  static_cast<void>(otlp::read_http_answer(id, signal, 503, std::nullopt, text, bytes));
  return 0;
}
