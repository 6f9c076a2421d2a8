// Writes spans with the specification's own exporter, for the tests of `arca recover --scan-rows`: rows that Arca did not
// write, whose trace_data it may (proto) or may not (json) be able to read. Prints one line of JSON with the ids.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"arca.example/bench/peers/exporter"
	"arca.example/bench/peers/workload"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "write_rows:", err)
		os.Exit(1)
	}
}

func run() error {
	addresses := flag.String("addresses", "127.0.0.1", "of the nodes, comma-separated")
	port := flag.Int("port", 9042, "of CQL")
	keyspace := flag.String("keyspace", "otel_traces", "is made, with its table, when it is missing")
	format := flag.String("format", "json", "of trace_data: json or proto")
	spans := flag.Uint64("spans", 100, "how many")
	factor := flag.Int("replication-factor", 1, "of a keyspace that is made")
	service := flag.String("service", "written-by-go", "service.name")
	flag.Parse()

	options := exporter.Options{Addresses: strings.Split(*addresses, ","), Port: *port, Keyspace: *keyspace,
		Concurrent: 64, Timeout: 10 * time.Second}
	var err error
	if options.Format, err = exporter.ParseFormat(*format); err != nil {
		return err
	}
	if err := exporter.CreateSchema(options, *factor); err != nil {
		return err
	}
	cassandra, err := exporter.Connect(options)
	if err != nil {
		return err
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(cassandra, sdk.WithBlocking()), sdk.WithResource(
		resource.NewSchemaless(attribute.String("service.name", *service))))
	ids := make([]string, 0, *spans)
	values := workload.NewValues()
	recorder := provider.Tracer("write_rows")
	root := context.Background()
	for i := range *spans {
		if i%workload.SpansPerTrace == 0 {
			root = context.Background()
		}
		inner := values.Span(root, recorder, i)
		written := trace.SpanContextFromContext(inner)
		ids = append(ids, written.TraceID().String()+"/"+written.SpanID().String())
		if i%workload.SpansPerTrace == 0 {
			root = inner
		}
	}
	if err := provider.Shutdown(context.Background()); err != nil {
		return err
	}
	if cassandra.Delivered() != *spans {
		return fmt.Errorf("%d of %d rows were written", cassandra.Delivered(), *spans)
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"rows": *spans, "format": *format, "spans": ids})
}
