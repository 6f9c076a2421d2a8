// Package workload makes the typical trace of the benchmark suite (bench/suite/workload.hpp): ten spans, each with eight
// attributes and one event with two, and values that vary.
package workload

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// SpansPerTrace is one root and nine children.
const SpansPerTrace = 10

// Values vary from span to span, so that compression sees real data.
type Values struct{ url, address, userAgent [64]string }

// NewValues makes them once.
func NewValues() *Values {
	values := &Values{}
	for i := range 64 {
		values.url[i] = fmt.Sprintf("/api/v1/customers/%d/orders/%d", 10007*(i+1), i)
		values.address[i] = fmt.Sprintf("10.21.%d.%d", i*3, 255-i)
		values.userAgent[i] = fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64) shop/%d", i)
	}
	return values
}

// Span is one typical span, from start to end. It returns the context that its children have.
func (v *Values) Span(ctx context.Context, tracer trace.Tracer, sequence uint64) context.Context {
	i := sequence % 64
	inner, span := tracer.Start(ctx, "GET /customers/{id}/orders", trace.WithSpanKind(trace.SpanKindServer))
	span.SetAttributes(
		attribute.String("http.request.method", "GET"),
		attribute.String("url.path", v.url[i]),
		attribute.String("client.address", v.address[i]),
		attribute.String("user_agent.original", v.userAgent[i]),
		attribute.String("http.route", "/customers/{id}/orders"),
		attribute.Int64("http.response.status_code", int64(200+i%4)),
		attribute.Int64("bench.seq", int64(sequence)),
		attribute.Bool("cache.hit", i&1 != 0))
	span.AddEvent("cache.lookup", trace.WithAttributes(
		attribute.String("cache.key", v.address[63-i]), attribute.Int64("cache.size", int64(sequence%1000))))
	span.SetStatus(codes.Ok, "")
	span.End()
	return inner
}
