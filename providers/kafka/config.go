// Package kafka is the sink that produces records to Kafka topics.
//
// Order is kept for each key, and for all events of one partition, also over failures: after one that is not an event's own
// fault, everything that is under way is given up, the client is made anew, and the pipeline sends again from the first batch that
// failed. What was under way may then be there twice; the broker recognises repetitions within one client only.
package kafka

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"collect/hclspec/expr"
	"collect/hclspec/schema"
	"collect/providers/internal/codec"
	"collect/providers/internal/gate"
	"collect/providers/internal/kafkaclient"
	"collect/runtime/flow"
)

// Config is the configuration of the sink.
type Config struct {
	Topic       schema.Expr        `collect:"topic,required,event,ref=topic" doc:"Topic: a reference, or a name that depends on the event and is one of topics."`
	Topics      []schema.Ref       `collect:"topics,ref=topic" doc:"The topics that an event may choose. An event that chooses another can never be delivered."`
	Key         schema.Expr        `collect:"key,event" doc:"Key. Events with the same key go to the same partition, in order."`
	Partition   schema.Expr        `collect:"partition,event" doc:"Number of the partition; it counts instead of the key."`
	Timestamp   schema.Expr        `collect:"timestamp,event" doc:"Time of the record: RFC 3339, or milliseconds since 1970. Default: the event's time. A topic's retention.ms counts from it: Kafka soon deletes records of events that are older."`
	Headers     bool               `collect:"headers" doc:"Send the event's headers: those set by interceptors and upstream."`
	Format      string             `collect:"format,enum=raw|flume|json" doc:"raw: the body. flume: Flume's Avro datum of headers and body. json: an object with time, headers and body."`
	Acks        string             `collect:"acks,enum=all|1" doc:"Acknowledgements to wait for: of all replicas in sync, or of the leader only, which may lose what it acknowledged."`
	Idempotent  bool               `collect:"idempotent" doc:"Let the broker recognise repetitions of the client, and keep order over them. Needs acks = \"all\"."`
	Compression string             `collect:"compression,enum=none|gzip|snappy|lz4|zstd" doc:"Compression of batches of records."`
	Linger      time.Duration      `collect:"linger" doc:"How long a record waits for others to share a request."`
	Partitioner string             `collect:"partitioner,enum=murmur2_random|murmur2|consistent_random|consistent|fnv1a_random|fnv1a|random" doc:"How a key chooses the partition. murmur2_random does as Java's client."`
	Client      string             `collect:"client,enum=librdkafka|franz" doc:"Client library. franz needs less CPU where records have keys or headers; both promise the same."`
	Provider    kafkaclient.Config `collect:"provider,provider=kafka" doc:"The cluster."`
}

// Defaults gives the defaults.
func Defaults() Config {
	return Config{
		Headers: true, Format: "raw", Acks: "all", Idempotent: true, Compression: "lz4", Linger: 10 * time.Millisecond,
		Partitioner: "murmur2_random", Client: "librdkafka", Provider: kafkaclient.Defaults(),
	}
}

// About describes the sink.
func About() schema.About {
	return schema.About{
		Doc:    "Produces records to Kafka topics. Delivered means acknowledged by the brokers, as acks says.",
		Window: schema.Window{Events: queued, Bytes: copied},
	}
}

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	if err := c.Provider.Validate(); err != nil {
		return fmt.Errorf("provider: %w", err)
	}
	if _, err := newRecords(c, nil); err != nil {
		return err
	}
	switch {
	case c.Idempotent && c.Acks != "all":
		return errors.New("idempotent needs acks = \"all\"; set idempotent = false")
	case c.Linger < 0 || c.Linger > time.Minute:
		return errors.New("linger must be between 0s and 1m")
	case c.Client == "franz" && len(c.Provider.Properties) > 0:
		return errors.New("client \"franz\" does not know the provider's properties, which are librdkafka's")
	case c.Client == "franz" && !strings.HasPrefix(c.Partitioner, "murmur2"):
		return fmt.Errorf("client \"franz\" does not have the partitioner %q, only murmur2_random and murmur2", c.Partitioner)
	}
	return nil
}

const (
	// window bounds the memory of batches that are accepted and not done: small batches may pin large blocks.
	window = 16 << 20
	// copied bounds their bodies, which the client may copy with as much again for each record.
	copied = 6 << 20
	// queued bounds the records that the client has and no broker has acknowledged.
	queued = 200_000
)

// New makes the sink.
func New(cfg Config, env flow.Env) (flow.Sink, error) {
	r, err := newRecords(cfg, &env)
	if err != nil {
		return nil, err
	}
	s := &Sink{
		cfg: cfg, env: env, records: r, gate: gate.New(), faulted: make(chan struct{}, 1), changed: make(chan struct{}),
		flying: map[*inflight]struct{}{}, silence: silence{after: silentAfter}, search: search{after: aloneAfter},
	}
	s.connect = connectLibrdkafka
	if cfg.Client == "franz" {
		s.connect = connectFranz
	}
	return s, nil
}

// refName gives the name of a topic that is referred to.
func refName(r schema.Ref) string {
	if n := r.Attrs["name"]; n != "" {
		return n
	}
	return r.Name()
}

func compile(name string, e schema.Expr, want expr.Type) (*expr.Program, error) {
	if !e.IsSet() {
		return nil, nil
	}
	p, err := expr.Compile(e, want)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// codecOf gives the codec of a format.
func codecOf(format string) (codec.Codec, error) { return codec.New(format, "keep") }
