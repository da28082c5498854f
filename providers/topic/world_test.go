package topic

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"collect/planner/resource"
	"collect/testdata/servertest"
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

func broker(t *testing.T, id string) string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ClusterID(id), kfake.BrokerConfigs(map[string]string{"default.replication.factor": "1"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

// world is a cluster, a configuration and a state.
type world struct {
	t     *testing.T
	kind  *Topics
	addr  string
	known map[string]*resource.Known
	lines []string
}

func newWorld(t *testing.T, addr string) *world {
	return &world{t: t, kind: New(Options{Wait: 60, Resolve: func(string) (string, error) { return addr, nil }}), addr: addr, known: map[string]*resource.Known{}}
}

func (w *world) object(name string, config map[string]any) *resource.Object {
	want := map[string]any{"name": name, "provider": map[string]any{"brokers": []any{w.addr}}}
	for k, v := range config {
		want[k] = v
	}
	return &resource.Object{Address: "topic." + strings.ReplaceAll(name, "-", "_"), Kind: "topic", Want: want, Places: map[string]string{"partitions": "main.hcl:3"}}
}

// plan reads and compares one object; gone is the address of one that is not wanted.
func (w *world) plan(o *resource.Object, gone string) (*resource.Change, error) {
	w.t.Helper()
	address := gone
	var want []*resource.Object
	if o != nil {
		want, address = []*resource.Object{o}, o.Address
	}
	var known []*resource.Known
	for _, k := range w.known {
		known = append(known, k)
	}
	lives, err := w.kind.Read(w.t.Context(), want, known)
	if err != nil {
		w.t.Fatal(err)
	}
	var live *resource.Live
	for _, l := range lives {
		if l.Address == address {
			live = l
		}
	}
	return w.kind.Diff(w.t.Context(), o, live, w.known[address], resource.DiffOptions{})
}

func (w *world) apply(o *resource.Object, gone string, confirmed map[string]int64) (*resource.Change, error) {
	w.t.Helper()
	ch, err := w.plan(o, gone)
	if err != nil {
		return nil, err
	}
	if ch == nil || ch.Action == resource.NoOp {
		return ch, nil
	}
	k, err := w.kind.Apply(w.t.Context(), ch, o, resource.ApplyOptions{Report: func(l string) { w.lines = append(w.lines, l) }, Confirmed: confirmed})
	if err != nil {
		return ch, err
	}
	if k == nil {
		delete(w.known, ch.Address)
	} else {
		w.known[ch.Address] = k
	}
	return ch, nil
}

func (w *world) must(o *resource.Object, gone string, want resource.Action) *resource.Change {
	w.t.Helper()
	ch, err := w.apply(o, gone, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := ch.Action; got != want {
		w.t.Fatalf("action %q, want %q: %+v", got, want, ch)
	}
	return ch
}

func (w *world) produce(topic string, n int) {
	w.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(w.addr))
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	for i := range n {
		if err := c.ProduceSync(w.t.Context(), &kgo.Record{Topic: topic, Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

func paths(ch *resource.Change) []string {
	var out []string
	for _, it := range ch.Items {
		out = append(out, fmt.Sprintf("%s %s %v -> %v", it.Action, it.Path, it.Before, it.After))
	}
	return out
}
