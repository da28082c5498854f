package kafka

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"collect/hclspec/schema"
	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestConformance(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) { // one after the other: it counts goroutines
			providertest.TestSink(t, func(t *testing.T) providertest.Sink {
				c := cluster(t)
				return providertest.Sink{
					New: func(t *testing.T, env flow.Env) flow.Sink {
						cfg := config(engine, "one", c.ListenAddrs())
						// With it the library often waits half a second for its first answer; the tests with a real Kafka have it.
						cfg.Idempotent = engine != "librdkafka"
						return providertest.Make(t, New, cfg, env)
					},
					Received: func(t *testing.T) []string { return values(consume(t, c.ListenAddrs(), "one")) },
					Break:    func(*testing.T) func() { return broken(c) },
				}
			})
		})
	}
}

func TestKeysKeepTheirOrderAndChooseThePartitionAsJavaDoes(t *testing.T) {
	each(t, func(t *testing.T, engine string) {
		c := cluster(t)
		cfg := config(engine, "four", c.ListenAddrs())
		cfg.Key = schema.Expr{Src: "event.headers.car"}
		d := start(t, cfg, providertest.Env(t))
		for i := range 300 {
			d.Must([]string{strconv.Itoa(i)}, flow.Header{Name: "car", Value: []byte{'B', byte('0' + i%7)}})
		}
		d.Flush()
		d.Close()
		// Utils.toPositive(Utils.murmur2(key)) % 4, as Java computes it.
		want := kgo.StickyKeyPartitioner(nil).ForTopic("four")
		last := map[string]int{}
		recs := consume(t, c.ListenAddrs(), "four")
		for _, r := range recs {
			n, _ := strconv.Atoi(string(r.Value))
			if prev, ok := last[string(r.Key)]; ok && n <= prev {
				t.Errorf("key %s: %d comes after %d", r.Key, n, prev)
			}
			last[string(r.Key)] = n
			if p := want.Partition(r, 4); int32(p) != r.Partition {
				t.Errorf("key %s is in partition %d, Java puts it into %d", r.Key, r.Partition, p)
			}
		}
		if len(recs) != 300 {
			t.Errorf("%d records", len(recs))
		}
	})
}

func TestRecordsCarryKeyPartitionTimeAndHeaders(t *testing.T) {
	each(t, func(t *testing.T, engine string) {
		c := cluster(t)
		cfg := config(engine, "four", c.ListenAddrs())
		cfg.Key = schema.Expr{Src: "event.headers.car"}
		cfg.Partition = schema.Expr{Src: "event.headers.p"}
		cfg.Timestamp = schema.Expr{Src: "event.headers.ms"}
		d := start(t, cfg, providertest.Env(t))
		d.Must([]string{"x"}, flow.Header{Name: "car", Value: []byte("B1")}, flow.Header{Name: "p", Value: []byte("3")}, flow.Header{Name: "ms", Value: []byte("1700000000123")})
		d.Flush()
		d.Close()
		recs := consume(t, c.ListenAddrs(), "four")
		if len(recs) != 1 {
			t.Fatalf("%d records", len(recs))
		}
		r := recs[0]
		if string(r.Key) != "B1" || r.Partition != 3 || r.Timestamp.UnixMilli() != 1700000000123 || len(r.Headers) != 3 || r.Headers[0].Key != "car" || string(r.Headers[2].Value) != "1700000000123" {
			t.Errorf("got %+v", r)
		}
	})
}

func TestFormats(t *testing.T) {
	each(t, func(t *testing.T, engine string) {
		for format, want := range map[string]string{
			"raw":   "x",
			"json":  `{"time":"2026-01-01T00:00:00Z","headers":{"car":"B1"},"body":"x"}`,
			"flume": "\x02\x06car\x04B1\x00\x02x",
		} {
			c := cluster(t)
			cfg := config(engine, "one", c.ListenAddrs())
			cfg.Format, cfg.Idempotent = format, false
			d := start(t, cfg, providertest.Env(t))
			d.Must([]string{"x"}, flow.Header{Name: "car", Value: []byte("B1")})
			d.Flush()
			d.Close()
			recs := consume(t, c.ListenAddrs(), "one")
			if len(recs) != 1 || string(recs[0].Value) != want {
				t.Errorf("%s: got %q, want %q", format, values(recs), want)
			}
			if n := len(recs[0].Headers); (n == 0) != (format != "raw") {
				t.Errorf("%s: %d headers", format, n)
			}
		}
	})
}

func TestAnEventThatCanNeverBeDeliveredHoldsNobody(t *testing.T) {
	each(t, func(t *testing.T, engine string) {
		c := cluster(t)
		cfg := config(engine, "", c.ListenAddrs())
		cfg.Topic = schema.Expr{Src: "event.headers.topic"}
		cfg.Topics = []schema.Ref{*topicRef("one").Ref, *topicRef("four").Ref}
		cfg.Partition = schema.Expr{Src: "try(event.headers.p, 0)"}
		d := start(t, cfg, providertest.Env(t))
		h := func(k, v string) flow.Header { return flow.Header{Name: k, Value: []byte(v)} }
		d.Must([]string{"good"}, h("topic", "one"))
		d.Must([]string{"other topic"}, h("topic", "two"))
		d.Must([]string{"internal"}, h("topic", "__consumer_offsets"))
		d.Must([]string{"no topic"})
		d.Must([]string{"no such partition"}, h("topic", "one"), h("p", "99"))
		d.Must([]string{"no number"}, h("topic", "one"), h("p", "x"))
		d.Must([]string{strings.Repeat("large", 300_000), "small"}, h("topic", "one"))
		d.Must([]string{"good too"}, h("topic", "four"))
		d.Flush()
		for seq, want := range map[uint64]int{1: 0, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 0} {
			r, ok := d.Result(seq)
			if !ok || r.Err != nil || len(r.Events) != want {
				t.Errorf("batch %d: %+v", seq, r)
			}
			for _, e := range r.Events {
				if !flow.IsPermanent(e.Err) || e.Index != 0 {
					t.Errorf("batch %d: %v", seq, e)
				}
			}
		}
		d.Close()
		if got := values(consume(t, c.ListenAddrs(), "one")); !slices.Equal(got, []string{"good", "small"}) {
			t.Errorf("one holds %.50q", got)
		}
	})
}

func TestAnUnknownTopicAndAnUnreachableBrokerAreNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	l.Close()
	each(t, func(t *testing.T, engine string) {
		c := cluster(t)
		s := providertest.Make(t, New, config(engine, "missing", c.ListenAddrs()), providertest.Env(t))
		err := s.Open(t.Context())
		if err == nil || flow.IsPermanent(err) || !strings.Contains(err.Error(), "missing") || !strings.Contains(err.Error(), c.ListenAddrs()[0]) {
			t.Errorf("got %v", err)
		}
		_ = s.Close(t.Context())
		s = providertest.Make(t, New, config(engine, "one", []string{dead}), providertest.Env(t))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = s.Open(ctx)
		if err == nil || !strings.Contains(err.Error(), dead) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("got %v", err)
		}
		_ = s.Close(t.Context())
	})
}

func TestAfterAFailureTheOrderIsKept(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	cfg := config("librdkafka", "one", c.ListenAddrs())
	cfg.Provider.Properties = map[string]string{"delivery.timeout.ms": "600", "socket.timeout.ms": "300"}
	cfg.Idempotent = true
	d := start(t, cfg, providertest.Env(t))
	n := 0
	write := func() bool { // on a slow machine the time for a delivery may be over at any moment
		n++
		err := d.Write(t.Context(), []string{strconv.Itoa(n - 1)})
		if err != nil {
			d.Requeue()
		}
		return err == nil
	}
	write()
	d.Retry()
	mend := broken(c)
	for n < 10 && write() {
	}
	d.Flush()
	if failed := d.Failed(); len(failed) != n-1 {
		t.Errorf("of %d batches these failed: %v", n-1, failed)
	}
	for seq := uint64(2); seq <= uint64(n); seq++ {
		if r, accepted := d.Result(seq); accepted && (r.Err == nil || !r.Unknown) {
			t.Errorf("batch %d: %+v", seq, r)
		}
	}
	mend()
	d.Retry()
	for n < 30 {
		if !write() {
			d.Retry()
		}
	}
	d.Retry()
	d.Close()
	var want []string
	for i := range 30 {
		want = append(want, strconv.Itoa(i))
	}
	if diff := cmp.Diff(want, providertest.FirstOfEach(values(consume(t, c.ListenAddrs(), "one")))); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkProduce(b *testing.B) {
	for _, engine := range engines {
		b.Run(engine, func(b *testing.B) {
			c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "bench"), kfake.BlackholeProduce())
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			env := providertest.Env(b)
			env.Pool = flow.NewPool(64 << 20)
			cfg := config(engine, "bench", c.ListenAddrs())
			cfg.Linger = 10 * time.Millisecond
			s := providertest.Make(b, New, cfg, env)
			if err := s.Open(b.Context()); err != nil {
				b.Fatal(err)
			}
			bodies := make([]string, 4096)
			for i := range bodies {
				bodies[i] = fmt.Sprintf("%0175d", i*7919)
			}
			src := providertest.SinkBatch(env.Pool, 1, bodies)
			b.SetBytes(src.Bytes())
			for b.Loop() {
				v := src.Share()
				v.SetDone(func(v *flow.Batch, _ flow.Result) { v.Release() })
				if err := s.Write(b.Context(), v); err != nil {
					b.Fatal(err)
				}
			}
			_ = s.Flush(b.Context())
			b.ReportMetric(float64(4096*b.N)/b.Elapsed().Seconds(), "events/s")
			_ = s.Close(b.Context())
		})
	}
}
