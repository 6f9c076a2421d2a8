// The peer of the Cassandra benchmarks: the specification's exporter behind the stock opentelemetry-go SDK, flat out from
// one goroutine. Prints one line of JSON; bench/suite/run_cassandra.py reads it.
//
//	peer --mode syncer      WithSyncer: each End waits for its INSERT, as in the specification's sample
//	peer --mode batch       behind BatchSpanProcessor with its defaults: what its queue cannot take is dropped
//	peer --mode blocking    the same, WithBlocking
//	peer --mode concurrent  WithBlocking, and 256 INSERTs under way at a time: improved by hand
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"arca.example/bench/peers/exporter"
	"arca.example/bench/peers/workload"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

type result struct {
	Mode       string  `json:"mode"`
	Offered    uint64  `json:"offered"`
	Delivered  uint64  `json:"delivered"`
	Lost       uint64  `json:"lost"`
	CallerNs   float64 `json:"caller_ns"`
	CallerP99  int64   `json:"caller_p99_ns"`
	WallS      float64 `json:"wall_s"`  // of the making alone
	DrainS     float64 `json:"drain_s"` // until the SDK had handed on what it kept
	CPUs       float64 `json:"cpu_s"`
	BytesASpan float64 `json:"bytes_a_span"` // of trace_data
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run() error {
	mode := flag.String("mode", "blocking", "syncer, batch, blocking or concurrent")
	addresses := flag.String("addresses", "127.0.0.1", "of the nodes, comma-separated")
	port := flag.Int("port", 9042, "of CQL")
	keyspace := flag.String("keyspace", "go_peer", "is made when it is missing")
	format := flag.String("format", "json", "of trace_data: json or proto")
	seconds := flag.Float64("seconds", 5, "how long spans are made")
	concurrent := flag.Int("concurrent", 256, "INSERTs at a time in the mode concurrent")
	flag.Parse()

	options := exporter.Options{Addresses: strings.Split(*addresses, ","), Port: *port, Keyspace: *keyspace,
		Concurrent: 1, Timeout: 10 * time.Second}
	var err error
	if options.Format, err = exporter.ParseFormat(*format); err != nil {
		return err
	}
	if *mode == "concurrent" {
		options.Concurrent = *concurrent
	}
	if err := exporter.CreateSchema(options, 1); err != nil {
		return err
	}
	cassandra, err := exporter.Connect(options)
	if err != nil {
		return err
	}
	processor, err := processorOf(*mode, cassandra)
	if err != nil {
		return err
	}
	measured, err := measure(processor, time.Duration(*seconds*float64(time.Second)))
	if err != nil {
		return err
	}
	measured.Mode, measured.Delivered = *mode, cassandra.Delivered()
	measured.Lost = measured.Offered - measured.Delivered
	measured.BytesASpan = float64(cassandra.Bytes()) / float64(max(1, measured.Delivered))
	return json.NewEncoder(os.Stdout).Encode(measured)
}

func processorOf(mode string, cassandra *exporter.Cassandra) (sdk.TracerProviderOption, error) {
	switch mode {
	case "syncer":
		return sdk.WithSyncer(cassandra), nil
	case "batch":
		return sdk.WithBatcher(cassandra), nil
	case "blocking", "concurrent":
		return sdk.WithBatcher(cassandra, sdk.WithBlocking()), nil
	}
	return nil, fmt.Errorf("there is no mode %q", mode)
}

func measure(processor sdk.TracerProviderOption, length time.Duration) (result, error) {
	provider := sdk.NewTracerProvider(processor, sdk.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "bench"))))
	tracer := provider.Tracer("bench")
	values := workload.NewValues()
	times := make([]int64, 0, 1<<20)
	before, begin := cpuSeconds(), time.Now()
	var offered uint64
	for trace := context.Background(); time.Since(begin) < length; offered++ {
		if offered%workload.SpansPerTrace == 0 {
			trace = context.Background()
		}
		start := time.Now()
		inner := values.Span(trace, tracer, offered)
		times = append(times, time.Since(start).Nanoseconds())
		if offered%workload.SpansPerTrace == 0 {
			trace = inner
		}
	}
	out := result{Offered: offered, WallS: time.Since(begin).Seconds()}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := provider.Shutdown(ctx); err != nil {
		return out, fmt.Errorf("shut down: %w", err)
	}
	out.DrainS, out.CPUs = time.Since(begin).Seconds()-out.WallS, cpuSeconds()-before
	var sum int64
	for _, one := range times {
		sum += one
	}
	out.CallerNs = float64(sum) / float64(offered)
	slices.Sort(times)
	out.CallerP99 = times[len(times)*99/100]
	return out, nil
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}
