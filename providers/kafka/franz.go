package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"collect/providers/internal/kafkaclient"
	"collect/providers/internal/secure"
	"collect/runtime/flow"
)

// franz is the engine on franz-go. It holds the records' memory until they are reported.
type franz struct {
	s        *Sink
	brokers  []string
	c        *kgo.Client
	ctx      context.Context // of records: ends when they are given up
	cancel   context.CancelFunc
	queued   atomic.Int64
	bound    context.Context // of records queued within a second: ends when their time is up
	since    time.Time
	dialing  kafkaclient.Cause
	maxQueue int64
	how      manner
}

// recordMax is the largest record that is sent, before compression, as with librdkafka.
const recordMax = 1_000_000

func connectFranz(s *Sink, brokers []string, how manner) (client, error) {
	f := &franz{s: s, brokers: brokers, maxQueue: queued, how: how}
	opts, err := f.options()
	if err != nil {
		return nil, err
	}
	if f.c, err = kgo.NewClient(opts...); err != nil {
		return nil, err
	}
	// Records outlive the call that queues them; abandon ends them.
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f, nil
}

func (f *franz) options() ([]kgo.Opt, error) {
	cfg := f.s.cfg
	acks := kgo.AllISRAcks()
	if cfg.Acks == "1" {
		acks = kgo.LeaderAck()
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(f.brokers...), kgo.ClientID(cfg.Provider.WithDefaults().ClientID), kgo.RequiredAcks(acks),
		kgo.ProducerLinger(cfg.Linger), kgo.MaxBufferedRecords(int(f.maxQueue) + 1),
		kgo.ProducerBatchCompression(compression(cfg.Compression)), kgo.DialTimeout(checkTimeout), kgo.Dialer(f.dial),
		kgo.UnknownTopicRetries(4), kgo.MetadataMinAge(250 * time.Millisecond),
	}
	if n := f.how.batch; n > 0 && !f.how.alone {
		opts = append(opts, kgo.ProducerBatchMaxBytes(int32(max(n, 1<<10))))
	}
	if f.how.alone {
		opts = append(opts, kgo.ProducerLinger(0))
	}
	if !cfg.Idempotent {
		opts = append(opts, kgo.DisableIdempotentWrite())
	}
	if cfg.Partition.IsSet() {
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	if strings.HasSuffix(cfg.Provider.SecurityProtocol, "ssl") {
		t, err := f.tls(cfg.Provider.TLS)
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
			return f.dialTLS(ctx, network, addr, t)
		}))
	}
	if m := mechanism(cfg.Provider.SASL); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts, nil
}

func compression(name string) kgo.CompressionCodec {
	switch name {
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	return kgo.NoCompression()
}

func mechanism(s *kafkaclient.SASL) sasl.Mechanism {
	if s == nil {
		return nil
	}
	switch s.Mechanism {
	case "PLAIN":
		return plain.Auth{User: s.Username, Pass: s.Password.Reveal()}.AsMechanism()
	case "SCRAM-SHA-256":
		return scram.Auth{User: s.Username, Pass: s.Password.Reveal()}.AsSha256Mechanism()
	}
	return scram.Auth{User: s.Username, Pass: s.Password.Reveal()}.AsSha512Mechanism()
}

// dial remembers why a broker could not be reached: the client's own errors only say that the time is up.
func (f *franz) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := f.s.env.Net.Dial(ctx, network, addr)
	if err != nil {
		f.dialing.Set(fmt.Sprintf("%s: %v", addr, err))
		return nil, err
	}
	f.dialing.Clear()
	return c, nil
}

func (f *franz) dialTLS(ctx context.Context, network, addr string, cfg *tls.Config) (net.Conn, error) {
	c, err := f.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	t, err := secure.Client(ctx, c, cfg, addr)
	if err != nil {
		f.dialing.Set(fmt.Sprintf("%s: %v", addr, err))
	}
	return t, err
}

func (f *franz) tls(t *kafkaclient.TLS) (*tls.Config, error) {
	if t == nil {
		t = &kafkaclient.TLS{}
	}
	return secure.Files{CA: t.CA, Cert: t.Cert, Key: t.Key, SkipVerify: t.SkipVerify}.Config(f.s.env.FS)
}

// within gives the context of a record, which bounds its time. The client's own bound counts from the record's timestamp, which is
// the event's and may be long ago.
func (f *franz) within() context.Context {
	if now := time.Now(); f.bound == nil || now.Sub(f.since) > time.Second {
		ctx, cancel := context.WithTimeout(f.ctx, deliveryTimeout)
		context.AfterFunc(ctx, cancel)
		f.bound, f.since = ctx, now
	}
	return f.bound
}

func (f *franz) begin(*inflight) {}

func (f *franz) end(*inflight) {}

func (f *franz) send(ctx context.Context, r *record, t *tag) error {
	if f.queued.Load() >= f.maxQueue {
		return errFull
	}
	size := len(r.key) + len(r.value)
	for _, h := range r.headers {
		size += len(h.name) + len(h.value)
	}
	if size > recordMax {
		return flow.Permanent(fmt.Errorf("kafka topic %s: %w (%d bytes)", *r.topic, kerr.MessageTooLarge, size))
	}
	rec := &kgo.Record{Topic: *r.topic, Key: r.key, Value: r.value}
	if r.partition >= 0 {
		rec.Partition = r.partition
	}
	if r.time > 0 {
		rec.Timestamp = time.Unix(0, r.time)
	}
	if len(r.headers) > 0 {
		rec.Headers = make([]kgo.RecordHeader, len(r.headers))
		for i, h := range r.headers {
			rec.Headers[i] = kgo.RecordHeader{Key: h.name, Value: h.value}
		}
	}
	var reported chan struct{}
	if f.how.alone {
		reported = make(chan struct{})
	}
	f.queued.Add(1)
	f.c.Produce(f.within(), rec, func(rec *kgo.Record, err error) {
		f.queued.Add(-1)
		if err != nil {
			err = f.explain(err, rec.Topic)
		}
		t.reported(err)
		if reported != nil {
			close(reported)
		}
	})
	if reported == nil {
		return nil
	}
	select {
	case <-reported:
	case <-ctx.Done(): // the next record must not join this one
		f.s.fault(ctx.Err())
	}
	return nil
}

// explain says whether trying again is useless, and names broker and cause.
func (f *franz) explain(err error, topic string) error {
	switch {
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return &refusal{topic: topic, size: true, err: fmt.Errorf("kafka topic %s: %w", topic, err)}
	case errors.Is(err, kerr.PolicyViolation), errors.Is(err, kerr.InvalidTimestamp), errors.Is(err, kerr.InvalidRecord),
		errors.Is(err, kerr.CorruptMessage):
		return &refusal{topic: topic, err: fmt.Errorf("kafka topic %s: %w", topic, err)}
	case errors.Is(err, kerr.InvalidTopicException), strings.Contains(err.Error(), "invalid record partitioning choice"):
		return flow.Permanent(fmt.Errorf("kafka topic %s: %w", topic, err))
	case f.ctx.Err() != nil, errors.Is(err, kgo.ErrClientClosed), errors.Is(err, kgo.ErrAborting):
		return errGivenUp
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, kgo.ErrRecordTimeout), errors.Is(err, kgo.ErrRecordRetries):
		return f.wrap("produce to topic "+topic, context.DeadlineExceeded)
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("kafka %s: produce to topic %s, which does not exist: %w", strings.Join(f.brokers, ","), topic, err)
	}
	return f.wrap("produce to topic "+topic, err)
}

func (f *franz) wrap(doing string, err error) error {
	var op *net.OpError
	if f.dialing.Last() != "" && (errors.As(err, &op) || errors.Is(err, context.DeadlineExceeded)) {
		err = context.DeadlineExceeded // the reason stands in what dialing said
	}
	return f.dialing.Wrap(f.brokers, doing, err)
}

func (f *franz) check(ctx context.Context, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := f.c.Ping(ctx); err != nil {
		return f.wrap("ask for topics", err)
	}
	if topic == "" {
		return nil
	}
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, f.c)
	if err != nil {
		return f.wrap("ask for topics", err)
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return f.explain(err, topic)
		}
	}
	return nil
}

// flush ends a long wait for company.
func (f *franz) flush() {
	if f.s.cfg.Linger <= 50*time.Millisecond {
		return
	}
	ctx, cancel := context.WithTimeout(f.ctx, 50*time.Millisecond)
	defer cancel()
	_ = f.c.Flush(ctx) // what is not sent in this time is on its way
}

// abandon ends the client, which reports every record, at the latest when it is closed; some a moment later.
func (f *franz) abandon() bool {
	f.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // bounds a clean-up that must outlive any caller's context
	defer cancel()
	_ = f.c.AbortBufferedRecords(ctx)
	f.c.Close()
	return false
}
