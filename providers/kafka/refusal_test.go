package kafka

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"collect/hclspec/schema"
	"collect/providers/internal/kafkaclient"
	"collect/providers/providertest"
	"collect/runtime/flow"
	"collect/testdata/servertest"
)

// small makes a topic of two partitions that takes batches of 10,000 bytes.
func small(t *testing.T, bootstrap, topic string) {
	t.Helper()
	admin, err := kafkaclient.NewAdmin(kafkaclient.Defaults(), []string{bootstrap})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	created(t, admin, bootstrap, topic, kafkaclient.Spec{Partitions: 2, Config: map[string]string{"max.message.bytes": "10000"}})
}

// mixed sends events of many sizes, some of which the topic never takes, and looks what became of each. Batches of small events are
// larger than what the topic takes, too.
func mixed(t *testing.T, cfg Config, bootstrap string) {
	d := start(t, cfg, providertest.Env(t))
	var want []string
	tooLarge := map[uint64]map[int]bool{}
	n := 0
	for seq := uint64(1); seq <= 20; seq++ {
		var bodies []string
		tooLarge[seq] = map[int]bool{}
		for i := range 50 {
			size := 20 + n*37%700
			if n%211 == 100 {
				size, tooLarge[seq][i] = 20_000, true
			}
			n++
			body := fmt.Sprintf("%05d ", n)
			for k := n; len(body) < size; k = k*1103515245 + 12345 { // so that compression does not help
				body += strconv.Itoa(k)
			}
			if size < 20_000 {
				want = append(want, body[:5])
			}
			bodies = append(bodies, body)
		}
		if err := d.Write(t.Context(), bodies); err != nil {
			d.Requeue()
		}
	}
	d.Flush()
	d.Retry()
	d.Flush()
	for seq, events := range tooLarge {
		r, ok := d.Result(seq)
		if !ok || r.Err != nil || len(r.Events) != len(events) {
			t.Errorf("batch %d: %d events were refused, want %d (%v)", seq, len(r.Events), len(events), r.Err)
		}
		for _, e := range r.Events {
			if !events[e.Index] || !flow.IsPermanent(e.Err) {
				t.Errorf("batch %d: event %d: %v", seq, e.Index, e.Err)
			}
		}
	}
	d.Close()
	got := map[string]bool{}
	for _, v := range values(consume(t, []string{bootstrap}, cfg.Topic.Ref.Attrs["name"])) {
		got[strings.Fields(v)[0]] = true
	}
	var have []string
	for _, w := range want {
		if got[w] {
			have = append(have, w)
		}
	}
	if diff := cmp.Diff(want, have); diff != "" || len(got) != len(want) {
		t.Errorf("%d different events in the topic, want %d (-want +got):\n%s", len(got), len(want), diff)
	}
}

func TestOnlyTheEventsThatAreTooLargeAreRefusedByKafka(t *testing.T) {
	bootstrap := servertest.Kafka(t)
	for _, engine := range engines {
		for name, change := range map[string]func(*Config){
			"plain": func(*Config) {},
			"keyed": func(c *Config) { c.Key = schema.Expr{Src: "substr(event.body, 4, 1)"} },
			"lz4":   func(c *Config) { c.Compression = "lz4" },
		} {
			t.Run(engine+" "+name, func(t *testing.T) {
				topic := servertest.Unique("mixed-" + engine + "-" + name)
				small(t, bootstrap, topic)
				cfg := config(engine, topic, []string{bootstrap})
				cfg.Compression = "none"
				change(&cfg)
				mixed(t, cfg, bootstrap)
			})
		}
	}
}

// The same without a real broker: one that refuses requests with a word in them.
func TestNeighboursOfARefusedEventArriveInOrder(t *testing.T) {
	each(t, func(t *testing.T, engine string) {
		brokers := refusing(t, "poison")
		cfg := config(engine, "one", brokers)
		cfg.Compression = "none"
		cfg.Key = schema.Expr{Src: "\"k\""}
		d := start(t, cfg, providertest.Env(t))
		d.Must([]string{"1", "2", "poison", "3"})
		if err := d.Write(t.Context(), []string{"4", "poison"}); err != nil {
			d.Requeue()
		}
		d.Flush()
		d.Retry()
		d.Flush()
		for seq, index := range map[uint64]int{1: 2, 2: 1} {
			if r, _ := d.Result(seq); r.Err != nil || len(r.Events) != 1 || r.Events[0].Index != index || !flow.IsPermanent(r.Events[0].Err) {
				t.Errorf("batch %d: %+v", seq, r)
			}
		}
		d.Close()
		// On a slow machine those before the one that is refused may have gone alone, and go again with it.
		if diff := cmp.Diff([]string{"1", "2", "3", "4"}, providertest.FirstOfEach(values(consume(t, brokers, "one")))); diff != "" {
			t.Error(diff)
		}
	})
}

// mute is a client that hangs: given up, it reports nothing more.
type mute struct{ scripted }

func (c *mute) abandon() bool { return true }

func TestWhatAHangingClientNeverReportsIsSentAgainOnce(t *testing.T) {
	pool := flow.NewPoisonPool(1 << 20)
	var sent []string
	s, _ := scriptedSink(t, &sent)
	first := &mute{scripted{sent: &sent}}
	s.client = first
	ends := 0
	b := providertest.SinkBatch(pool, 1, []string{"1", "2", "3"})
	b.SetDone(func(_ *flow.Batch, r flow.Result) {
		ends++
		if r.Err == nil || !r.Unknown {
			t.Errorf("got %+v", r)
		}
	})
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	first.open[0].reported(nil)
	s.fault(context.DeadlineExceeded)
	s.retire()
	if ends != 1 {
		t.Errorf("the batch ended %d times", ends)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(t.Context()); err != nil || ends != 1 {
		t.Errorf("%v, %d", err, ends)
	}
}
