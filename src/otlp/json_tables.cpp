#include "otlp/json_tables.hpp"

namespace arca::otlp::json_tables {

namespace {

using enum Kind;

extern const Message any_value;
extern const Message pair;

constexpr FieldRule array_fields[] = {{1, "values", message, true, &any_value}};
constexpr Message array{array_fields};
constexpr FieldRule pairs_fields[] = {{1, "values", message, true, &pair}};
constexpr Message pairs{pairs_fields};
constexpr FieldRule any_value_fields[] = {
    {1, "stringValue", text},
    {2, "boolValue", boolean},
    {3, "intValue", int64},
    {4, "doubleValue", real},
    {5, "arrayValue", message, false, &array},
    {6, "kvlistValue", message, false, &pairs},
    {7, "bytesValue", base64},
};
constexpr Message any_value{any_value_fields};
constexpr FieldRule pair_fields[] = {{1, "key", text}, {2, "value", message, false, &any_value}};
constexpr Message pair{pair_fields};

constexpr FieldRule resource_fields[] = {{1, "attributes", message, true, &pair},
                                         {2, "droppedAttributesCount", number}};
constexpr Message resource{resource_fields};
constexpr FieldRule scope_fields[] = {
    {1, "name", text},
    {2, "version", text},
    {3, "attributes", message, true, &pair},
    {4, "droppedAttributesCount", number},
};
constexpr Message scope{scope_fields};

// --- traces ----------------------------------------------------------------------------------------
constexpr FieldRule event_fields[] = {
    {1, "timeUnixNano", fixed64},
    {2, "name", text},
    {3, "attributes", message, true, &pair},
    {4, "droppedAttributesCount", number},
};
constexpr Message event{event_fields};
constexpr FieldRule link_fields[] = {
    {1, "traceId", hex},
    {2, "spanId", hex},
    {3, "traceState", text},
    {4, "attributes", message, true, &pair},
    {5, "droppedAttributesCount", number},
    {6, "flags", number},
};
constexpr Message link{link_fields};
constexpr FieldRule status_fields[] = {{2, "message", text}, {3, "code", number}};
constexpr Message status{status_fields};
constexpr FieldRule span_fields[] = {
    {1, "traceId", hex},
    {2, "spanId", hex},
    {3, "traceState", text},
    {4, "parentSpanId", hex},
    {16, "flags", number},
    {5, "name", text},
    {6, "kind", number},
    {7, "startTimeUnixNano", fixed64},
    {8, "endTimeUnixNano", fixed64},
    {9, "attributes", message, true, &pair},
    {10, "droppedAttributesCount", number},
    {11, "events", message, true, &event},
    {12, "droppedEventsCount", number},
    {13, "links", message, true, &link},
    {14, "droppedLinksCount", number},
    {15, "status", message, false, &status},
};
constexpr Message span{span_fields};
constexpr FieldRule scope_spans_fields[] = {
    {1, "scope", message, false, &scope}, {2, "spans", message, true, &span}, {3, "schemaUrl", text}};
constexpr Message scope_spans{scope_spans_fields};
constexpr FieldRule resource_spans_fields[] = {
    {1, "resource", message, false, &resource}, {2, "scopeSpans", message, true, &scope_spans}, {3, "schemaUrl", text}};
constexpr Message resource_spans{resource_spans_fields};
constexpr FieldRule traces_fields[] = {{1, "resourceSpans", message, true, &resource_spans}};

// --- logs ------------------------------------------------------------------------------------------
constexpr FieldRule log_fields[] = {
    {1, "timeUnixNano", fixed64},
    {11, "observedTimeUnixNano", fixed64},
    {2, "severityNumber", number},
    {3, "severityText", text},
    {5, "body", message, false, &any_value},
    {6, "attributes", message, true, &pair},
    {7, "droppedAttributesCount", number},
    {8, "flags", number},
    {9, "traceId", hex},
    {10, "spanId", hex},
    {12, "eventName", text},
};
constexpr Message log{log_fields};
constexpr FieldRule scope_logs_fields[] = {
    {1, "scope", message, false, &scope}, {2, "logRecords", message, true, &log}, {3, "schemaUrl", text}};
constexpr Message scope_logs{scope_logs_fields};
constexpr FieldRule resource_logs_fields[] = {
    {1, "resource", message, false, &resource}, {2, "scopeLogs", message, true, &scope_logs}, {3, "schemaUrl", text}};
constexpr Message resource_logs{resource_logs_fields};
constexpr FieldRule logs_fields[] = {{1, "resourceLogs", message, true, &resource_logs}};

// --- metrics ---------------------------------------------------------------------------------------
constexpr FieldRule exemplar_fields[] = {
    {7, "filteredAttributes", message, true, &pair},
    {2, "timeUnixNano", fixed64},
    {3, "asDouble", real},
    {6, "asInt", sfixed64},
    {4, "spanId", hex},
    {5, "traceId", hex},
};
constexpr Message exemplar{exemplar_fields};
constexpr FieldRule number_point_fields[] = {
    {7, "attributes", message, true, &pair},
    {2, "startTimeUnixNano", fixed64},
    {3, "timeUnixNano", fixed64},
    {4, "asDouble", real},
    {6, "asInt", sfixed64},
    {5, "exemplars", message, true, &exemplar},
    {8, "flags", number},
};
constexpr Message number_point{number_point_fields};
constexpr FieldRule histogram_point_fields[] = {
    {9, "attributes", message, true, &pair},
    {2, "startTimeUnixNano", fixed64},
    {3, "timeUnixNano", fixed64},
    {4, "count", fixed64},
    {5, "sum", real},
    {6, "bucketCounts", fixed64, true},
    {7, "explicitBounds", real, true},
    {8, "exemplars", message, true, &exemplar},
    {10, "flags", number},
    {11, "min", real},
    {12, "max", real},
};
constexpr Message histogram_point{histogram_point_fields};
constexpr FieldRule buckets_fields[] = {{1, "offset", zigzag}, {2, "bucketCounts", uint64, true}};
constexpr Message buckets{buckets_fields};
constexpr FieldRule exponential_point_fields[] = {
    {1, "attributes", message, true, &pair},
    {2, "startTimeUnixNano", fixed64},
    {3, "timeUnixNano", fixed64},
    {4, "count", fixed64},
    {5, "sum", real},
    {6, "scale", zigzag},
    {7, "zeroCount", fixed64},
    {8, "positive", message, false, &buckets},
    {9, "negative", message, false, &buckets},
    {10, "flags", number},
    {11, "exemplars", message, true, &exemplar},
    {12, "min", real},
    {13, "max", real},
    {14, "zeroThreshold", real},
};
constexpr Message exponential_point{exponential_point_fields};
constexpr FieldRule quantile_fields[] = {{1, "quantile", real}, {2, "value", real}};
constexpr Message quantile{quantile_fields};
constexpr FieldRule summary_point_fields[] = {
    {7, "attributes", message, true, &pair},
    {2, "startTimeUnixNano", fixed64},
    {3, "timeUnixNano", fixed64},
    {4, "count", fixed64},
    {5, "sum", real},
    {6, "quantileValues", message, true, &quantile},
    {8, "flags", number},
};
constexpr Message summary_point{summary_point_fields};
constexpr FieldRule gauge_fields[] = {{1, "dataPoints", message, true, &number_point}};
constexpr Message gauge{gauge_fields};
constexpr FieldRule sum_fields[] = {{1, "dataPoints", message, true, &number_point},
                                    {2, "aggregationTemporality", number},
                                    {3, "isMonotonic", boolean}};
constexpr Message sum{sum_fields};
constexpr FieldRule histogram_fields[] = {{1, "dataPoints", message, true, &histogram_point},
                                          {2, "aggregationTemporality", number}};
constexpr Message histogram{histogram_fields};
constexpr FieldRule exponential_fields[] = {{1, "dataPoints", message, true, &exponential_point},
                                            {2, "aggregationTemporality", number}};
constexpr Message exponential{exponential_fields};
constexpr FieldRule summary_fields[] = {{1, "dataPoints", message, true, &summary_point}};
constexpr Message summary{summary_fields};
constexpr FieldRule metric_fields[] = {
    {1, "name", text},
    {2, "description", text},
    {3, "unit", text},
    {5, "gauge", message, false, &gauge},
    {7, "sum", message, false, &sum},
    {9, "histogram", message, false, &histogram},
    {10, "exponentialHistogram", message, false, &exponential},
    {11, "summary", message, false, &summary},
    {12, "metadata", message, true, &pair},
};
constexpr Message metric{metric_fields};
constexpr FieldRule scope_metrics_fields[] = {
    {1, "scope", message, false, &scope}, {2, "metrics", message, true, &metric}, {3, "schemaUrl", text}};
constexpr Message scope_metrics{scope_metrics_fields};
constexpr FieldRule resource_metrics_fields[] = {{1, "resource", message, false, &resource},
                                                 {2, "scopeMetrics", message, true, &scope_metrics},
                                                 {3, "schemaUrl", text}};
constexpr Message resource_metrics{resource_metrics_fields};
constexpr FieldRule metrics_fields[] = {{1, "resourceMetrics", message, true, &resource_metrics}};

}  // namespace

const Message traces_request{traces_fields};
const Message metrics_request{metrics_fields};
const Message logs_request{logs_fields};

}  // namespace arca::otlp::json_tables
