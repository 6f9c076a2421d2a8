// Package exporter is the specification's design, as it is written there: a SpanExporter that puts one row for each span
// into otel_traces.traces_overflow. As specified its INSERTs follow one another; Concurrent above one is the improvement
// that a careful user makes by hand. The benchmark (cmd/peer) measures it, and the tests of `arca recover --scan-rows`
// have their rows written by it (cmd/write_rows).
package exporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gocql/gocql"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// Options say where the rows go and how.
type Options struct {
	Addresses  []string
	Port       int
	Keyspace   string
	Format     Format
	Concurrent int // INSERTs under way at a time; one: in sequence, as specified
	Timeout    time.Duration
}

// Cassandra is safe for concurrent use, as the SDK demands of an exporter.
type Cassandra struct {
	session   *gocql.Session
	statement string
	options   Options
	delivered atomic.Uint64
	failed    atomic.Uint64
	bytes     atomic.Uint64
	once      sync.Once
}

var _ sdk.SpanExporter = (*Cassandra)(nil)

// Connect makes the session. The keyspace and its table must be there: see CreateSchema.
func Connect(options Options) (*Cassandra, error) {
	cluster := clusterOf(options)
	cluster.Keyspace = options.Keyspace
	session, err := cluster.CreateSession()
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &Cassandra{session: session, options: options,
		statement: "INSERT INTO traces_overflow (trace_id, span_id, timestamp, service_name, operation_name, trace_data) " +
			"VALUES (?, ?, ?, ?, ?, ?)"}, nil
}

// ExportSpans puts a row for each span; the first error is returned once all are tried.
func (c *Cassandra) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if c.options.Concurrent <= 1 || len(spans) == 1 {
		var errs error
		for _, span := range spans {
			errs = errors.Join(errs, c.insert(ctx, span))
		}
		return errs
	}
	work := make(chan sdk.ReadOnlySpan)
	failures := make(chan error, len(spans))
	var workers sync.WaitGroup
	for range min(c.options.Concurrent, len(spans)) {
		workers.Go(func() {
			for span := range work {
				if err := c.insert(ctx, span); err != nil {
					failures <- err
				}
			}
		})
	}
	for _, span := range spans {
		work <- span
	}
	close(work)
	workers.Wait()
	close(failures)
	return <-failures // nil when there is none
}

func (c *Cassandra) insert(ctx context.Context, span sdk.ReadOnlySpan) error {
	blob, err := c.options.Format.encode(span)
	if err == nil {
		id := span.SpanContext()
		err = c.session.Query(c.statement, id.TraceID().String(), id.SpanID().String(), span.StartTime(),
			serviceOf(span), span.Name(), blob).WithContext(ctx).Idempotent(true).Exec()
	}
	if err != nil {
		c.failed.Add(1)
		return err
	}
	c.delivered.Add(1)
	c.bytes.Add(uint64(len(blob)))
	return nil
}

// Shutdown closes the session.
func (c *Cassandra) Shutdown(context.Context) error {
	c.once.Do(c.session.Close)
	return nil
}

// Delivered counts the spans that Cassandra acknowledged, Failed those that it did not, Bytes their trace_data.
func (c *Cassandra) Delivered() uint64 { return c.delivered.Load() }
func (c *Cassandra) Failed() uint64    { return c.failed.Load() }
func (c *Cassandra) Bytes() uint64     { return c.bytes.Load() }

// CreateSchema makes keyspace and table as the specification has them.
func CreateSchema(options Options, replicationFactor int) error {
	session, err := clusterOf(options).CreateSession()
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer session.Close()
	for _, statement := range []string{
		fmt.Sprintf("CREATE KEYSPACE IF NOT EXISTS %s WITH replication = {'class': 'SimpleStrategy', "+
			"'replication_factor': %d}", options.Keyspace, replicationFactor),
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s.traces_overflow (trace_id text, span_id text, timestamp timestamp, "+
			"service_name text, operation_name text, trace_data blob, PRIMARY KEY (trace_id, span_id)) "+
			"WITH default_time_to_live = 604800", options.Keyspace),
	} {
		if err := session.Query(statement).Exec(); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

func clusterOf(options Options) *gocql.ClusterConfig {
	cluster := gocql.NewCluster(options.Addresses...)
	cluster.Port = options.Port
	cluster.Consistency = gocql.LocalQuorum
	cluster.Timeout = options.Timeout
	cluster.ConnectTimeout = options.Timeout
	return cluster
}

func serviceOf(span sdk.ReadOnlySpan) string {
	for _, attribute := range span.Resource().Attributes() {
		if attribute.Key == "service.name" {
			return attribute.Value.AsString()
		}
	}
	return "unknown_service"
}
