package exporter

import (
	"encoding/json"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Format is what trace_data holds. The specification leaves it open: "JSON or protobuf".
type Format string

const (
	// JSON is the SDK's own span as encoding/json writes it: no tool but its writer can read it.
	JSON Format = "json"
	// Proto is one OTLP TracesData with the span.
	Proto Format = "proto"
)

// ParseFormat names what there is when the word is none of it.
func ParseFormat(word string) (Format, error) {
	if word == string(JSON) || word == string(Proto) {
		return Format(word), nil
	}
	return "", fmt.Errorf("there is no format %q: json or proto", word)
}

func (f Format) encode(span sdk.ReadOnlySpan) ([]byte, error) {
	if f == JSON {
		return json.Marshal(tracetest.SpanStubFromReadOnlySpan(span))
	}
	return proto.Marshal(tracesData(span))
}

func tracesData(span sdk.ReadOnlySpan) *tracepb.TracesData {
	context, parent := span.SpanContext(), span.Parent()
	traceID, spanID := context.TraceID(), context.SpanID()
	out := &tracepb.Span{
		TraceId: traceID[:], SpanId: spanID[:], TraceState: context.TraceState().String(),
		Flags: uint32(context.TraceFlags()), Name: span.Name(), Kind: tracepb.Span_SpanKind(span.SpanKind()),
		StartTimeUnixNano: uint64(span.StartTime().UnixNano()), EndTimeUnixNano: uint64(span.EndTime().UnixNano()),
		Attributes: attributes(span.Attributes()), DroppedAttributesCount: uint32(span.DroppedAttributes()),
		Status: &tracepb.Status{Code: statusCode(span), Message: span.Status().Description},
	}
	if parent.SpanID().IsValid() {
		parentID := parent.SpanID()
		out.ParentSpanId = parentID[:]
	}
	for _, event := range span.Events() {
		out.Events = append(out.Events, &tracepb.Span_Event{Name: event.Name, TimeUnixNano: uint64(event.Time.UnixNano()),
			Attributes: attributes(event.Attributes)})
	}
	scope := span.InstrumentationScope()
	return &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource: &resourcepb.Resource{Attributes: attributes(span.Resource().Attributes())},
		ScopeSpans: []*tracepb.ScopeSpans{{
			Scope: &commonpb.InstrumentationScope{Name: scope.Name, Version: scope.Version},
			Spans: []*tracepb.Span{out},
		}},
	}}}
}

// The SDK numbers error before ok, OTLP the other way round.
func statusCode(span sdk.ReadOnlySpan) tracepb.Status_StatusCode {
	switch span.Status().Code.String() {
	case "Ok":
		return tracepb.Status_STATUS_CODE_OK
	case "Error":
		return tracepb.Status_STATUS_CODE_ERROR
	}
	return tracepb.Status_STATUS_CODE_UNSET
}

func attributes(all []attribute.KeyValue) []*commonpb.KeyValue {
	out := make([]*commonpb.KeyValue, 0, len(all))
	for _, one := range all {
		out = append(out, &commonpb.KeyValue{Key: string(one.Key), Value: anyValue(one.Value)})
	}
	return out
}

func anyValue(value attribute.Value) *commonpb.AnyValue {
	switch value.Type() {
	case attribute.BOOL:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: value.AsBool()}}
	case attribute.INT64:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: value.AsInt64()}}
	case attribute.FLOAT64:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: value.AsFloat64()}}
	}
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value.Emit()}}
}
