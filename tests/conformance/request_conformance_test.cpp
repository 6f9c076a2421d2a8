// Whole export requests: framing of records under contexts, splitting in two, counting and visiting, judged by the
// official protobuf classes.
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>
#include <opentelemetry/proto/collector/logs/v1/logs_service.pb.h>
#include <opentelemetry/proto/collector/metrics/v1/metrics_service.pb.h>
#include <opentelemetry/proto/collector/trace/v1/trace_service.pb.h>

#include <map>
#include <string>
#include <vector>

#include "conformance/random_values.hpp"
#include "model/record_grammar.hpp"
#include "otlp/context_encoder.hpp"
#include "otlp/json.hpp"
#include "otlp/metric_writer.hpp"
#include "otlp/reader.hpp"
#include "otlp/request_split.hpp"
#include "otlp/span_writer.hpp"

namespace {

using namespace arca;
namespace collector = opentelemetry::proto::collector;
using TracesRequest = collector::trace::v1::ExportTraceServiceRequest;
using MetricsRequest = collector::metrics::v1::ExportMetricsServiceRequest;

std::vector<std::byte> flatten(const model::FramedRequest& framed) {
  std::vector<std::byte> bytes;
  for (const base::Bytes slice : framed.slices) bytes.insert(bytes.end(), slice.begin(), slice.end());
  return bytes;
}

template <class Request>
Request parse(base::Bytes bytes) {
  Request request;
  EXPECT_TRUE(request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return request;
}

// A range of a pool chunk: records with context marks, and the contexts they speak of.
struct Range {
  std::vector<std::byte> bytes;
  std::vector<std::vector<std::byte>> resources;
  std::vector<std::vector<std::byte>> scopes;

  void mark(model::ContextId context) {
    bytes.push_back(model::context_mark);
    const auto* from = reinterpret_cast<const std::byte*>(&context);
    bytes.insert(bytes.end(), from, from + sizeof context);
  }
  void add(base::Bytes record) { bytes.insert(bytes.end(), record.begin(), record.end()); }
  [[nodiscard]] std::vector<std::byte> request() const {
    const auto walk = model::walk_records(bytes, model::no_context);
    EXPECT_TRUE(walk.whole(bytes));
    const auto framed = model::frame_request(walk.runs, [&](model::ContextId id) -> std::optional<model::ContextView> {
      // Two resources, and a scope for each context.
      return model::ContextView{resources[id % 2], scopes[id]};
    });
    EXPECT_TRUE(framed.has_value());
    return framed ? flatten(*framed) : std::vector<std::byte>();
  }
};

Range range_with_contexts() {
  Range range;
  for (const char* service : {"shop", "store"}) {
    const otlp::Attribute attributes[] = {{"service.name", std::string_view("overwritten")},
                                          {"service.name", std::string_view(service)}};
    range.resources.push_back(otlp::encode_resource(attributes, "https://schema/1").value());
  }
  for (const std::string name : {"none", "scope1", "scope2", "scope3", "scope4"}) {
    const otlp::Attribute attributes[] = {{"scope.kind", std::int64_t{7}}};
    range.scopes.push_back(otlp::encode_scope({name, "1.2", "https://schema/2", attributes}).value());
  }
  return range;
}

// Spans named by number under changing contexts.
std::vector<std::byte> traces_request(const std::vector<int>& spans_per_run) {
  Range range = range_with_contexts();
  otlp::SpanWriter writer;
  int number = 0;
  model::ContextId context = 1;
  for (const int spans : spans_per_run) {
    range.mark(context);
    context = context % 4 + 1;
    for (int i = 0; i < spans; ++i) {
      const std::string name = "span " + std::to_string(number++);
      otlp::SpanStart start;
      start.span_id = {1, 2, 3, 4, 5, 6, 7, static_cast<std::uint8_t>(number)};
      start.name = name;
      writer.begin(start, {});
      writer.set_attribute("number", std::int64_t{number});
      range.add(writer.end(base::WallTime(std::chrono::nanoseconds(5))));
    }
  }
  return range.request();
}

std::vector<std::byte> metrics_request(const std::vector<int>& points_per_metric) {
  Range range = range_with_contexts();
  otlp::MetricWriter writer;
  model::ContextId context = 1;
  std::int64_t number = 0;
  for (const int count : points_per_metric) {
    range.mark(context);
    context = context % 4 + 1;
    std::vector<otlp::NumberPoint> points(static_cast<std::size_t>(count));
    for (otlp::NumberPoint& point : points) point.value = number++;
    otlp::Metric metric;
    metric.name = "metric";
    metric.unit = "s";
    metric.data = otlp::Sum{points, otlp::Temporality::delta, true};
    EXPECT_TRUE(writer.write(metric, [&](base::Bytes record, std::uint32_t) { range.add(record); }));
  }
  return range.request();
}

std::vector<std::string> span_names(const TracesRequest& request) {
  std::vector<std::string> names;
  for (const auto& resource : request.resource_spans()) {
    for (const auto& scope : resource.scope_spans()) {
      for (const auto& span : scope.spans()) {
        names.push_back(resource.resource().attributes(0).value().string_value() + "/" + scope.scope().name() + "/" +
                        scope.schema_url() + "/" + span.name());
      }
    }
  }
  return names;
}

std::vector<std::string> point_values(const MetricsRequest& request) {
  std::vector<std::string> values;
  for (const auto& resource : request.resource_metrics()) {
    for (const auto& scope : resource.scope_metrics()) {
      for (const auto& metric : scope.metrics()) {
        for (const auto& point : metric.sum().data_points()) {
          EXPECT_TRUE(metric.sum().is_monotonic());
          EXPECT_EQ(metric.sum().aggregation_temporality(), 1);
          values.push_back(scope.scope().name() + "/" + metric.name() + "/" + std::to_string(point.as_int()));
        }
      }
    }
  }
  return values;
}

TEST(RequestConformance, FramedRunsParseUnderTheirContexts) {
  const auto request = parse<TracesRequest>(traces_request({2, 1, 3}));
  const std::vector<std::string> expected{
      "store/scope1/https://schema/2/span 0", "store/scope1/https://schema/2/span 1",
      "shop/scope2/https://schema/2/span 2",  "store/scope3/https://schema/2/span 3",
      "store/scope3/https://schema/2/span 4", "store/scope3/https://schema/2/span 5"};
  EXPECT_EQ(span_names(request), expected);
  EXPECT_EQ(request.resource_spans(0).schema_url(), "https://schema/1");
  EXPECT_EQ(request.resource_spans(0).resource().attributes_size(), 1);
  EXPECT_EQ(request.resource_spans(0).scope_spans(0).scope().attributes(0).value().int_value(), 7);
  EXPECT_EQ(request.resource_spans(0).scope_spans(0).scope().version(), "1.2");
}

template <class Request, class Items>
void check_halves(model::Signal signal, const std::vector<std::byte>& whole, Items items) {
  const auto all = items(parse<Request>(whole));
  EXPECT_EQ(otlp::count_items(signal, whole).value(), all.size());
  const auto halves = otlp::split_request(signal, whole);
  if (all.size() < 2) {
    EXPECT_FALSE(halves.has_value());
    return;
  }
  ASSERT_TRUE(halves.has_value());
  auto joined = items(parse<Request>(halves->first.request));
  const auto second = items(parse<Request>(halves->second.request));
  EXPECT_EQ(joined.size(), halves->first.item_count);
  EXPECT_EQ(second.size(), halves->second.item_count);
  EXPECT_EQ(joined.size(), all.size() / 2);
  joined.insert(joined.end(), second.begin(), second.end());
  EXPECT_EQ(joined, all);
}

TEST(RequestConformance, HalvesOfTracesHoldTheSameItems) {
  for (const std::vector<int>& runs :
       std::vector<std::vector<int>>{{}, {1}, {2}, {1, 1}, {5, 1, 1, 7}, {1, 200}, {3, 3, 3}}) {
    check_halves<TracesRequest>(model::Signal::traces, traces_request(runs), span_names);
  }
}

TEST(RequestConformance, HalvesOfMetricsAreCutBetweenPoints) {
  for (const std::vector<int>& metrics : std::vector<std::vector<int>>{{1}, {2}, {1, 1}, {9, 1, 1}, {1, 300}, {100}}) {
    check_halves<MetricsRequest>(model::Signal::metrics, metrics_request(metrics), point_values);
  }
}

TEST(RequestConformance, TheReaderCollectsSpanIdsInOrder) {
  const auto ids = otlp::collect_span_ids(traces_request({2, 1})).value();
  ASSERT_EQ(ids.size(), 3U);
  EXPECT_EQ(ids[2], 0x0307060504030201ULL);
}

// The JSON printer against the official one: parsed by protobuf (with ids as it expects them, base64), it must be the
// same message.
TEST(RequestConformance, JsonSaysTheSameAsTheOfficialClasses) {
  const std::vector<std::byte> request = metrics_request({2, 3});
  const auto json = otlp::to_json(model::Signal::metrics, request);
  ASSERT_TRUE(json.has_value());
  MetricsRequest read;
  const auto status = google::protobuf::util::JsonStringToMessage(*json, &read);
  ASSERT_TRUE(status.ok()) << status.ToString() << *json;
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(read, parse<MetricsRequest>(request)));
}

TEST(RequestConformance, JsonHasHexIdsAndIntegersAsText) {
  const auto json = otlp::to_json(model::Signal::traces, traces_request({1})).value();
  EXPECT_NE(json.find(R"("spanId":"0102030405060701")"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("value":{"intValue":"1"})"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("endTimeUnixNano":"5")"), std::string::npos) << json;
  TracesRequest read;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &read).ok());
}

}  // namespace
