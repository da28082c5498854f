package kafka

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"collect/hclspec/schema"
	"collect/providers/providertest"
	"collect/runtime/flow"
	"collect/testdata/servertest"
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

var engines = []string{"librdkafka", "franz"}

// cluster starts a broker in this process with a topic of one partition, "one", and one of four, "four".
func cluster(t *testing.T) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "one"), kfake.SeedTopics(4, "four"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func topicRef(name string) schema.Expr {
	return schema.Expr{Ref: &schema.Ref{Address: "topic.t", Attrs: map[string]string{"name": name}}}
}

func config(engine, topic string, brokers []string) Config {
	c := Defaults()
	c.Client, c.Topic, c.Provider.Brokers = engine, topicRef(topic), brokers
	c.Linger = time.Millisecond
	return c
}

func start(t *testing.T, cfg Config, env flow.Env) *providertest.Delivery {
	t.Helper()
	return providertest.Open(t, providertest.Make(t, New, cfg, env), env)
}

// consume reads what a topic holds.
func consume(t testing.TB, brokers []string, topic string) []*kgo.Record {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a busy machine is slow to read
	defer cancel()
	ends, err := kadm.NewClient(c).ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
	var out []*kgo.Record
	for int64(len(out)) < total {
		f := c.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("read %d records of %d", len(out), total)
		}
		f.EachRecord(func(r *kgo.Record) { out = append(out, r) })
	}
	return out
}

func values(recs []*kgo.Record) []string {
	var out []string
	for _, r := range recs {
		out = append(out, string(r.Value))
	}
	return out
}

// broken makes a broker cut each connection that produces.
func broken(c *kfake.Cluster) (mend func()) {
	var off atomic.Bool
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		if off.Load() {
			return nil, nil, false
		}
		c.KeepControl()
		return nil, errors.New("cut"), true
	})
	return func() { off.Store(true) }
}

func each(t *testing.T, f func(t *testing.T, engine string)) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			f(t, engine)
		})
	}
}
